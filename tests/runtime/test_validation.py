"""What `iop`'s validation finds in a settings file is a warning in the log, but for what irislite knows better."""

from pathlib import Path

from irislite.director import Director
from irislite.eventlog import LogType

FILE = """
from iop import BusinessOperation, Production


class Till(BusinessOperation):
    pass


shop = Production("Tea.Shop")
shop.operation("Till", Till, settings={"AlertOnError": "true", "ReplyCodeActions": "E=F", "AlertOnEror": "true"})
PRODUCTIONS = [shop]
"""


def test_settings_of_every_host_are_no_finding(tmp_path: Path) -> None:
    (tmp_path / "validated_settings.py").write_text(FILE)
    director = Director(tmp_path / "home", synchronous="NORMAL")
    try:
        assert director.load(tmp_path / "validated_settings.py") == "Tea.Shop"
        warnings = [entry.text for entry in director.eventlog.newest(20, LogType.WARNING)]
    finally:
        director.close()
    assert len(warnings) == 1 and "AlertOnEror: Unknown setting name" in warnings[0], warnings
