"""Wrong experiments: each is refused before anything costs, with the line and what to do."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiment import making, rules
from experiment.errors import RunUnknown
from experiment.functions import FILE
from experiment.keys import KEYS
from experiment.settings import Problem

CSV = "id,text,label\n" + "".join(f"{n},this is text {n},{'good' if n % 2 else 'bad'}\n" for n in range(20))
Change = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A right experiment, for a test to spoil."""
    data = tmp_path / "rows.csv"
    data.write_text(CSV)
    return making.new(tmp_path / "EXP-1-wrong", making.Source(files=(str(data),)))


def found(folder: Path) -> str:
    return "\n".join(map(str, rules.validate(folder)))


def setting(**keys: str) -> Change:
    """Set keys, wherever they stand."""

    def change(folder: Path) -> None:
        file = folder / "settings.ini"
        text = file.read_text()
        for key, value in keys.items():
            text, count = re.subn(rf"^{key} =.*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
            assert count, key
        file.write_text(text)

    return change


def put(old: str, new: str) -> Change:
    """Replace a text of settings.ini."""

    def change(folder: Path) -> None:
        file = folder / "settings.ini"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def function(old: str, new: str) -> Change:
    """Replace a text of the functions."""

    def change(folder: Path) -> None:
        file = folder / FILE
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return change


def both(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def space(line: str, search: str = "random") -> Change:
    tuned = setting(RUN_TRAINING="false", RUN_TUNING="true", SEARCH=search)
    return both(tuned, put("[inference]", f"[space]\n{line}\n[inference]") if line else lambda folder: None)


def elsewhere(launcher: str) -> Change:
    return setting(LAUNCHER=launcher)


ENCODE = "    return encoding.encode(batch, config)\n"
WRONG: dict[str, tuple[Change, str]] = {
    # the file itself
    "no equals sign": (put("[steps]", "[steps]\nRUN_INFERENCE true"), "is no KEY = value"),
    "key before any section": (put("# The settings", "EPOCHS = 3\n# The settings"), "before the first section"),
    "unknown section": (put("[training]", "[trainning]"), "did you mean [training]?"),
    "section without end": (put("[training]", "[training"), "is no section: it ends with ]"),
    "key twice": (put("[training]", "[training]\nEPOCHS = 5"), "it stands in line"),
    "not UTF-8": (lambda folder: (folder / "settings.ini").write_bytes(b"[steps]\nUSE = \xff\xfe"), "is not UTF-8"),
    "misspelt key": (put("EPOCHS = 3", "EPOCH = 3"), "did you mean EPOCHS?"),
    "lower case": (put("EPOCHS = 3", "epochs = 3"), "did you mean EPOCHS?"),
    "unheard-of key": (put("[training]", "[training]\nXYZZY = 1"), "there is no such key in [training]: it has"),
    "key of another section": (put("[training]", "[training]\nTEST_FILES = a.csv"), "it belongs into [data]"),
    # values
    "no whole number": (setting(EPOCHS="three"), "'three' is no whole number: write one, such as 3"),
    "fraction of an epoch": (setting(EPOCHS="2.5"), "is no whole number"),
    "too few": (setting(EPOCHS="0"), "0 is too small: 1 is the least"),
    "too many": (setting(LEARNING_RATE="30"), "30 is too large: 1 is the most"),
    "not a number": (setting(LEARNING_RATE="nan"), "is no number"),
    "neither true nor false": (setting(RUN_TRAINING="maybe"), "is neither true nor false"),
    "no such choice": (setting(POOLING="median"), "is none of mean, max"),
    "comment behind a value": (setting(EPOCHS="3 # few"), "Comments stand on lines of their own"),
    "empty place in a list": (setting(MODEL_NAMES="all-MiniLM-L6-v2,,all-MiniLM-L6-v2:1"), "empty place between"),
    "model twice": (setting(MODEL_NAMES="all-MiniLM-L6-v2, all-MiniLM-L6-v2"), "stands there twice"),
    "run number 0": (setting(RUN_NUM="0"), "0 is too small"),
    "run number that exists": (
        both(setting(RUN_NUM="2"), lambda folder: (folder / "run_2").mkdir()), "run 2 exists: write auto, or 3",
    ),
    # what goes together
    "training and tuning": (both(space("EPOCHS = 1, 2"), setting(RUN_TRAINING="true")), "exclude each other"),
    "no step at all": (
        setting(RUN_RECONCILIATION="no", RUN_PREPARATION="no", RUN_TRAINING="no", RUN_INFERENCE="no"),
        "every step is switched off",
    ),
    "no model": (setting(MODEL_NAMES=""), "it names no model"),
    "unknown model": (setting(MODEL_NAMES="bert-huge"), "there is no model 'bert-huge'"),
    "model without layers": (setting(MODEL_NAMES="all-MiniLM-L6-v2:0"), "has no layers"),
    "models in one folder": (setting(MODEL_NAMES="all-MiniLM-L6-v2:1, all-MiniLM-L6-v2-1"), "would share a folder"),
    "no data": (setting(FILES=""), "there is no data"),
    "no such file": (setting(FILES="nowhere/*.csv"), "nowhere/*.csv fits no file"),
    "unreadable kind": (
        both(lambda folder: (folder / "a.docx").write_text("x"), setting(FILES="a.docx")), "of no kind that can be read",
    ),
    "no such column": (setting(TEXT_COLUMN="body"), "has no column 'body': it has id, text, label"),
    "empty column": (setting(LABEL_COLUMN=""), "it is empty: name the column"),
    "table without a connection": (setting(FILES="", TABLE="iris.Review"), "no connection to it"),
    "no such database": (setting(TABLE="t", DATABASE="none.db"), "There is no database"),
    "database without a table": (setting(DATABASE="some.db"), "no table of it is named"),
    "labels twice": (setting(LABELS_FILE="l.csv", LABELS_TABLE="t", ID_COLUMN="id"), "labels come from LABELS_FILE too"),
    "shares too large": (setting(TEST_SHARE="0.6", VALIDATION_SHARE="0.4"), "leave at least 0.1 to train on"),
    "no test set": (setting(TEST_SHARE="0"), "there is no test set"),
    "no validation": (setting(VALIDATION_SHARE="0"), "nothing is left to choose an epoch by"),
    "overlap too large": (setting(MAX_TOKENS="64", OVERLAP_TOKENS="60"), "32 is the most"),
    "several processes in one": (setting(PROCESSES="2"), "set it to accelerate"),
    # tuning
    "nothing to try": (space(""), "[space] is empty"),
    "unknown axis": (space("LERNING_RATE = 1e-5, 1e-4"), "did you mean LEARNING_RATE?"),
    "axis that decides nothing": (space("CHECKPOINT_S = 1, 2"), "cannot be tried"),
    "range backwards": (space("LEARNING_RATE = 1e-3 .. 1e-5"), "write the smaller number first"),
    "range of words": (space("SCHEDULE = linear .. cosine"), "is no range"),
    "grid with a range": (space("LEARNING_RATE = 1e-5 .. 1e-3 log", "grid"), "a grid has no ranges"),
    # where it is kept and where it runs
    "no such root": (setting(ROOT="/nowhere/at/all"), "there is no folder /nowhere/at/all"),
    "unknown protocol": (setting(ROOT="floppy://a"), "is no address that can be used"),
    "unknown tracker": (setting(TRACKERS="notebook"), "there is no tracker 'notebook'"),
    "sagemaker without a role": (elsewhere("sagemaker"), "name the role that the jobs are to have"),
    "sagemaker with a local folder": (elsewhere("sagemaker"), "a job elsewhere does not see this folder"),
    "wrong role": (both(elsewhere("sagemaker"), setting(ROLE="admin")), "is not what ROLE takes"),
    "kubernetes without an image": (elsewhere("kubernetes"), "build docker/, push it, and name it"),
    "wrong memory": (setting(MEMORY="8 gigabytes"), "is not what MEMORY takes"),
    "secret": (put("[user]", "[user]\nKEY = AKIAABCDEFGHIJKLMNOP"), "this looks like a secret"),
    # functions
    "no functions": (lambda folder: (folder / FILE).unlink(), f"{FILE} is missing"),
    "syntax error": (function("def encode_data(", "def encode_data(("), f"{FILE}:32: "),
    "bare pass": (function(ENCODE, "    pass\n"), "encode_data does nothing (pass)"),
    "only dots": (function(ENCODE, "    ...\n"), "encode_data does nothing (pass)"),
    "not implemented": (function(ENCODE, "    raise NotImplementedError\n"), "encode_data does nothing"),
    "function missing": (function("def load_model(", "def make_model("), "has no function load_model"),
    "function misspelt": (function("def encode_data(", "def encode_dat("), "Is it encode_dat? Rename that"),
    "argument missing": (function("def encode_data(batch, config)", "def encode_data(batch)"), "takes (batch): write it"),
    "argument too many": (
        function("def reconcile(config)", "def reconcile(config, where)"), "takes (config, where): write it as def",
    ),
    "async": (function("def encode_data", "async def encode_data"), "is async: write it as"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_experiment_is_told_what_is_wrong(folder: Path, case: str) -> None:
    change, message = WRONG[case]
    change(folder)
    assert message in found(folder)


def test_a_new_experiment_is_right(folder: Path) -> None:
    assert rules.validate(folder) == []


def test_a_name_that_is_no_name(tmp_path: Path) -> None:
    folder = making.new(tmp_path / "EXP-2")
    (tmp_path / "ü b e r").mkdir()
    other = folder.rename(tmp_path / "ü b e r" / "ä?")
    assert "cannot name an experiment" in found(other)


def test_everything_is_told_at_once_in_the_order_of_the_lines(folder: Path) -> None:
    setting(EPOCHS="none", POOLING="median", TEST_SHARE="2", MODEL_NAMES="")(folder)
    function(ENCODE, "    pass\n")(folder)
    problems = rules.validate(folder)
    assert [problem.key for problem in problems] == ["MODEL_NAMES", "TEST_SHARE", "POOLING", "EPOCHS", ""]
    lines = (folder / "settings.ini").read_text().splitlines()
    for problem in problems[:-1]:
        assert lines[problem.line - 1].startswith(f"{problem.key} = ")
        assert str(problem).startswith(f"settings.ini:{problem.line} {problem.key}: ")


def test_a_value_may_go_on_in_the_next_line(folder: Path) -> None:
    setting(MODEL_NAMES="all-MiniLM-L6-v2,\n  all-MiniLM-L6-v2:2")(folder)
    assert rules.validate(folder) == []


def test_no_settings_at_all(tmp_path: Path) -> None:
    with pytest.raises(RunUnknown, match="evergreen experiment new"):
        rules.validate(tmp_path)


def test_every_key_is_in_a_new_file_and_explained(folder: Path) -> None:
    text = (folder / "settings.ini").read_text()
    for key in KEYS:
        assert re.search(rf"^# .+\n{key.name} =", text, re.MULTILINE), key.full
        assert key.meaning.endswith((".", ")")), key.full


def test_a_wrong_file_is_refused_without_loading_anything_heavy(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from experiment import rules; "
        f"rules.validate(Path({str(folder)!r})); "
        "print([name for name in ('torch', 'transformers', 'datasets', 'numpy', 'fsspec') if name in sys.modules])"
    )
    sources = Path(rules.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(sources)},
                          check=True)  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_a_problem_without_a_line() -> None:
    assert str(Problem(0, "", "something")) == "settings.ini: something"
