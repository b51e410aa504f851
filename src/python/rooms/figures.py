"""Numbers as people read them: sizes, energies, carbon, each with its unit, and what nobody knows as such."""

UNKNOWN = "unknown"


def size(count: float) -> str:
    """Bytes."""
    return _scaled(count, 1000, ("B", "kB", "MB", "GB", "TB"))


def count(number: float | None) -> str:
    """Parameters, as 22.7 M."""
    return "" if number is None else _scaled(number, 1000, ("", "k", "M", "G")).strip()


def energy(joules: float | None) -> str:
    """Joules; from 3.6 MJ on, kilowatt hours."""
    if joules is None:
        return UNKNOWN
    return f"{joules / 3.6e6:.3g} kWh" if joules >= 3.6e6 else _scaled(joules, 1000, ("J", "kJ", "MJ"))


def grams(carbon_g: float | None) -> str:
    """Grams of CO2 equivalent."""
    if carbon_g is None:
        return UNKNOWN
    if carbon_g >= 1000:
        return f"{carbon_g / 1000:.3g} kg"
    return f"{carbon_g:.3g} g" if carbon_g >= 0.1 else f"{carbon_g * 1000:.3g} mg"


def span(low: float | None, high: float | None) -> str:
    """A range of joules."""
    return UNKNOWN if low is None or high is None else f"{energy(low)} – {energy(high)}"


def share(value: float | None) -> str:
    """A share as per cent; empty for None."""
    return "" if value is None else f"{value:.1%}"


def _scaled(value: float, step: int, units: tuple[str, ...]) -> str:
    for unit in units[:-1]:
        if abs(value) < step:
            return f"{value:.3g} {unit}"
        value /= step
    return f"{value:.3g} {units[-1]}"
