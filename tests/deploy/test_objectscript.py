"""ObjectScript that cannot be compiled here: parsed, and held against what it names."""

import ast
import csv
import re
import textwrap
from pathlib import Path

import pytest
import tree_sitter_objectscript
from tree_sitter import Language, Node, Parser

from deploy.images import CLASSES, ROOT, class_name, methods

GRAMMAR = Parser(Language(tree_sitter_objectscript.language_objectscript()))


def faults(node: Node) -> list[str]:
    """Where the parser met what it did not expect, or missed what it did."""
    if not node.has_error:
        return []
    own = [f"line {node.start_point[0] + 1}: {node.text.decode()[:80]!r}"] if node.is_error or node.is_missing else []
    return own + [fault for child in node.children for fault in faults(child)]


def parsed(text: str) -> list[str]:
    return faults(GRAMMAR.parse(text.encode()).root_node)


def script_lines() -> list[str]:
    return [line.strip() for line in (ROOT / "iris.script").read_text().splitlines() if line.strip()]


def test_the_parser_sees_mistakes() -> None:
    good = CLASSES[0].read_text()
    assert not parsed(good)
    assert parsed(good.replace("{", "", 1))
    assert parsed("Class A.B {\n\nClassMethod C() {\n    set x = (1\n}\n\n}\n")


@pytest.mark.parametrize("file", CLASSES, ids=lambda file: file.name)
def test_every_class_parses_and_is_where_its_name_says(file: Path) -> None:
    text = file.read_text()
    assert parsed(text) == []
    assert re.search(r"^Class (\S+)", text, re.MULTILINE)[1] == class_name(file)


def test_iris_script_parses_line_by_line() -> None:
    for line in script_lines():
        # A session takes each line as a routine does; what a class method allows, a routine does.
        assert parsed(f"Class A.B\n{{\n\nClassMethod C()\n{{\n    {line}\n}}\n\n}}\n") == [], line


def test_iris_script_ends_the_session_and_says_whether_it_was_well() -> None:
    lines = script_lines()
    assert lines[-1] == "halt"
    assert "Terminate($job, 1)" in lines[-2]
    steps = [line for line in lines if " ok = 0," in line]
    assert steps[0].startswith("set ok = 0, ok = ")
    assert all(line.startswith("if ok set ok = 0, ok = ") for line in steps[1:]), "a step after a failure must not run"


def test_what_is_called_is_there() -> None:
    known = {class_name(file): {name for name, *_ in methods(file)} for file in CLASSES}
    texts = [(ROOT / "iris.script").read_text(), (ROOT / "deploy/iris/health.sh").read_text()]
    called = {call for text in texts for call in re.findall(r"##class\((Evergreen[\w.]*)\)\.(\w+)", text)}
    assert called
    assert [(name, method) for name, method in called if method not in known[name]] == []
    for file in CLASSES:
        own = known[class_name(file)]
        assert set(re.findall(r"(?<![.\w\"])\.\.(\w+)\(", file.read_text())) <= own, file


def test_no_argument_is_quit_with_where_objectscript_forbids_it() -> None:
    for file in CLASSES:
        for name, _, keywords, body in methods(file):
            if "python" in keywords:
                continue
            for block in re.findall(r"(?:try|catch)[^{\n]*\{\n(.*?)^ {4}\}", body, re.MULTILINE | re.DOTALL):
                bad = re.findall(r"\b(?:quit(?::\S+)? +[^\s}].*)", block)
                assert bad == [], f"{file.name}, {name}: in a try block say return"


def test_methods_in_python_are_python() -> None:
    written = [(file, method) for file in CLASSES for method in methods(file) if "Language = python" in method[2]]
    assert len(written) == 3
    for file, (name, _, _, body) in written:
        tree = ast.parse(textwrap.dedent(body), f"{file.name}: {name}") if "return" not in body else None
        if tree is None:
            ast.parse(f"def {name}():\n{body}")


def test_the_review_file_has_a_line_for_each_row() -> None:
    """LoadReviews counts lines; LOAD DATA must not meet a quotation mark or an end of line within a text."""
    text = (ROOT / "misc/reviews.csv").read_text()
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["ReviewLabel", "ReviewText"]
    assert len(rows) == len(text.splitlines()) == len(list(csv.reader(text.splitlines(keepends=True))))
    assert [row for row in rows if len(row) != 2 or '"' in row[1]] == []
