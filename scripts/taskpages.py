"""Write docs/tasks/: a page for each row of docs/tasks.md, with the answer of a tiny model of that architecture."""

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE, FOLDER = ROOT / "docs" / "tasks.md", ROOT / "docs" / "tasks"
ROW = re.compile(
    r"^\| (?P<names>`[^|]+`) \| (?P<settings>`name=[^|]+`) \| `(?P<request>\{.+?\})` "
    r"\| (?P<back>[^|]+) \| ?(?P<needs>[^|]*)\|$",
    re.MULTILINE,
)
LONG_TEXT, LONG_LIST = 60, 2


@dataclass(frozen=True)
class Row:
    """A row of docs/tasks.md: the task's names, the item's settings, a request, what comes back, what it needs."""

    names: tuple[str, ...]
    settings: str
    request: str
    back: str
    needs: str

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.names[0]}.md"


def rows() -> list[Row]:
    """All rows, in the order of the page."""
    return [
        Row(
            tuple(re.findall(r"`([^`]+)`", found["names"])),
            found["settings"].replace("`", "").replace("<br>", "\n"),
            found["request"],
            found["back"].strip(),
            found["needs"].strip(),
        )
        for found in ROW.finditer(PAGE.read_text(encoding="utf-8"))
    ]


def shortened(value: Any) -> Any:
    """A value as an example: long lists and texts are cut, numbers rounded."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        cut = [shortened(each) for each in value[:LONG_LIST]]
        return [*cut, "…"] if len(value) > LONG_LIST else cut
    if isinstance(value, str) and len(value) > LONG_TEXT:
        return value[:LONG_TEXT] + "…"
    return round(value, 4) if isinstance(value, float) else value


def example(answer: Any) -> dict[str, Any]:
    """An answer of `inference.pipeline.run` as the test page shows it, shortened."""
    shown: dict[str, Any] = {"output": shortened(answer.output)}
    if answer.images:
        keys = ("media_type", "width", "height", "title")
        shown["images"] = [
            {key: getattr(each, key) for key in keys} | {"data": "iVBORw0KGgo…"} for each in answer.images
        ]
    if answer.parts:
        keys = ("media_type", "encoding", "title")
        shown["parts"] = [{key: getattr(each, key) for key in keys} | {"data": "UklGR…"} for each in answer.parts]
    return shown


def shape(value: Any) -> Any:
    """What must stay as it is on the page: names and kinds, not numbers, texts or how many there are."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


def example_of(page: str) -> dict[str, Any]:
    """The answer that a page shows."""
    shown: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[-1])
    return shown


def render(row: Row, shown: dict[str, Any]) -> str:
    """The page of a task."""
    title, *others = row.names
    also = f" It is also called {', '.join(f'`{name}`' for name in others)}." if others else ""
    pictures = shown.get("images", [])
    trace = ""
    if pictures:
        sizes = "; ".join(f"“{each['title']}”, {each['width']} x {each['height']} pixels" for each in pictures)
        trace = f"\nThe trace shows {'the picture' if len(pictures) == 1 else 'the pictures'}: {sizes}.\n"
    needs = f"\n## Needs\n\n{row.needs[0].upper()}{row.needs[1:]}.\n" if row.needs else ""
    answer = json.dumps(shown, indent=2, ensure_ascii=False)
    return f"""# {title}

Made by `python scripts/taskpages.py` from [docs/tasks.md](../tasks.md); do not edit.{also}

## Settings

The `%settings` of an item of the class `Python.MLOperation` ([every setting](../settings.md)):

    {row.settings.replace(chr(10), chr(10) + "    ")}

## Request

`msg.MLRequest`, in the test page or with `iop --test ITEM -C msg.MLRequest -B '...'`:

```json
{row.request}
```

## Answer

{row.back[0].upper()}{row.back[1:]}.
{trace}
```json
{answer}
```

The shape is true; numbers and texts come from a tiny model of this architecture that was made for tests. What the
answer cost is in `energy`: [energy](../energy.md).
{needs}
What an input may be, limits, texts that are too long, pictures and parts of an answer: [tasks](../tasks.md).
"""


def main() -> None:
    """Ask a tiny model of each row's architecture, and write the pages."""
    sys.path[:0] = [str(ROOT / "src" / "python"), str(ROOT / "tests")]
    import bad_requests
    import settinglines
    import tiny_models
    from inference import pipeline, tasks

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in rows():
            options = settinglines.parse_lines(row.settings)
            task = options.pop("task")
            options.pop("model_url", None), options.pop("name")
            kind = bad_requests.GOOD[tasks.lookup(task).name][0]
            if not (Path(folder) / kind).exists():
                tiny_models.build(kind, Path(folder) / kind)
            model = pipeline.open(kind, task, path=folder, options=options)
            row.file.write_text(render(row, example(pipeline.run(model, json.loads(row.request)))), encoding="utf-8")
            pipeline.close(model)


if __name__ == "__main__":
    main()
