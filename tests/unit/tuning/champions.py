"""What the tests of promotion share: folders that stand for models, and whose a folder is."""

import json
from pathlib import Path

NAME = "bert"


def put(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"of": content}))
    (folder / "weights").mkdir()
    (folder / "weights" / "model.safetensors").write_text(content * 1_000)


def content(folder: Path) -> str | None:
    """Whose model the folder holds, every byte of it; None if there is no such folder."""
    if not folder.exists():
        return None
    of: str = json.loads((folder / "config.json").read_text())["of"]
    assert (folder / "weights" / "model.safetensors").read_text() == of * 1_000, f"{folder} is mixed"
    return of
