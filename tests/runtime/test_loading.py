"""What the log says of a settings file that is read, and of a production that another file described."""

from pathlib import Path

from irislite.director import Director
from irislite.eventlog import LogType

FILE = """
from iop import Production, BusinessOperation

class Till(BusinessOperation):
    pass

p = Production("Tea.Shop")
p.operation("Till", Till, comment="{comment}")
PRODUCTIONS = [p]
"""


def settings_file(folder: Path, comment: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"shop_of_{folder.name}.py"
    file.write_text(FILE.format(comment=comment))
    return file


def warnings(director: Director) -> list[str]:
    director.flush()
    return [entry.text for entry in director.eventlog.newest(50) if entry.type is LogType.WARNING]


def test_a_file_that_is_read_is_one_line_in_the_log(tmp_path: Path, open_director) -> None:
    director = open_director()
    director.load(settings_file(tmp_path / "run", "GBP"))
    director.flush()
    texts = [entry.text for entry in director.eventlog.newest(50)]
    assert texts == ["shop_of_run.py was read: 1 class, Tea.Shop."]


def test_who_takes_a_production_from_another_file_is_told(tmp_path: Path, open_director) -> None:
    director = open_director()
    file, migrated = settings_file(tmp_path / "run", "GBP"), settings_file(tmp_path / "migrated", "CHF")
    director.load(file)
    settings_file(tmp_path / "run", "EUR")
    director.forget_code(tmp_path / "run")
    director.load(file)
    assert not warnings(director)  # a file may change
    director.load(migrated)
    director.load(migrated)
    director.load(file)
    director.load(file)
    assert director.productions.production("Tea.Shop").item("Till").comment == "EUR"
    told = "Tea.Shop was read from {} the last time; it is now as {} says. To keep the other, run that file."
    assert warnings(director) == [told.format(migrated, file), told.format(file, migrated)]


def test_a_file_that_says_the_same_takes_nothing(tmp_path: Path, open_director) -> None:
    director = open_director()
    text = "import sys; sys.path.insert(0, {!r}); from shared_shop import PRODUCTIONS"
    (tmp_path / "shared_shop.py").write_text(FILE.format(comment="GBP"))
    for name in ("one", "two"):
        (tmp_path / f"{name}_shop.py").write_text(text.format(str(tmp_path)))
        director.load(tmp_path / f"{name}_shop.py")
    assert not warnings(director)
