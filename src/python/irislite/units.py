"""Numbers of bytes as a person reads them."""

_UNITS = ("kB", "MB", "GB", "TB")


def shown(size: float) -> str:
    """A number of bytes in the unit that suits it: `0 kB`, `12.3 kB`, `4.5 GB`."""
    size /= 1000
    for unit in _UNITS[:-1]:
        if size < 999.95:
            return f"{size:,.1f} {unit}" if size else f"0 {unit}"
        size /= 1000
    return f"{size:,.1f} {_UNITS[-1]}"
