"""The Python methods of Evergreen.Setup, run where irislite stands in for IRIS; the body that shows pictures."""

import base64
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from iop import BusinessOperation

import bo
import msg
from deploy.images import ROOT, methods
from irislite.bridge import backend, objects
from irislite.testing import Running, running

METHODS = {name: (arguments, body) for name, arguments, _, body in methods(ROOT / "src/iris/Evergreen/Setup.cls")}


def source(name: str) -> str:
    """A method written in Python, as a function."""
    arguments, body = METHODS[name]
    names = ", ".join(part.split()[0] for part in arguments.split(",") if part.strip())
    return f"def {name}({names}):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"


def test_init_and_migrate_do_what_iop_does(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/python").symlink_to(ROOT / "src/python")
    script = textwrap.dedent("""
        from iop import BusinessOperation
        from irislite.testing import Running, running

        class Nothing(BusinessOperation):
            pass

        with running([Nothing]) as production:
            assert Init() == 1
            first = Digest(ROOT)
            assert first == Digest(ROOT) and len(first) == 64
            MigrateFiles(ROOT, "iris.Production")
            from iop.runtime.director import get_default_production, list_productions
            assert get_default_production() == "iris.Production"
            assert "iris.Production" in list_productions()
    """)
    program = "".join(map(source, ("Init", "Digest", "MigrateFiles"))) + f"ROOT = {str(tmp_path)!r}\n" + script
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": "/usr/bin:/bin", "EVERGREEN_ROOT": str(tmp_path), "PYTHONPATH": str(ROOT / "src/python")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deprecat" not in done.stderr
    assert "Migration succeeded" in done.stdout
    assert (tmp_path / "src/model/all-MiniLM-L6-v2/model.safetensors").is_file()


def test_the_digest_changes_with_the_files(tmp_path: Path) -> None:
    (tmp_path / "src/python").mkdir(parents=True)
    file = tmp_path / "src/python/production.py"
    scope: dict[str, Any] = {}
    exec(source("Digest"), scope)
    file.write_text("one")
    first = scope["Digest"](str(tmp_path))
    file.write_text("two")
    assert scope["Digest"](str(tmp_path)) != first


class Display(objects.Message):
    """`PEX.Msg.ImageDisplay` as IRIS would have it: an `IOP.Message` of another name."""

    classes = ("PEX.Msg.ImageDisplay", *objects.Message.classes)
    __module__ = "iris.display"  # by this iop knows objects of IRIS


class Compiled:
    """`%Dictionary.CompiledClass`, of a runtime that has the class."""

    @staticmethod
    def _ExistsId(name: str) -> int:
        return int(name == "PEX.Msg.ImageDisplay")


class Painter(BusinessOperation):
    def on_message(self, request: Any) -> Any:
        picture = {"media_type": "image/png", "data": base64.b64encode(b"x" * 2_000_000).decode(), "title": "large"}
        images = [picture] if request.StringValue == "picture" else []
        return bo._shown(msg.MLResponse(output=[1], images=images))


def stored_class(shop: Running) -> str:
    """The class of the last response's body, as it is stored."""
    store = shop.director.store
    response = store.session(shop.trace[-1].session)[-1]
    return store.body(response.message_body_id).class_name


def test_where_iris_has_the_class_pictures_travel_in_it_and_python_sees_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(backend._CLASSES, "PEX.Msg.ImageDisplay", Display)
    monkeypatch.setitem(backend._CLASSES, "%Dictionary.CompiledClass", Compiled)
    monkeypatch.setitem(objects.BODIES, "PEX.Msg.ImageDisplay", Display)
    with running([Painter]) as shop:
        answer = shop.send("Painter", "picture")
        assert isinstance(answer, msg.MLResponse)
        assert len(answer.images[0]["data"]) > 2_000_000
        assert stored_class(shop) == "PEX.Msg.ImageDisplay"
        assert shop.send("Painter", "none").images == []
        assert stored_class(shop) == "IOP.Message"


def test_where_there_is_none_it_is_the_message_itself() -> None:
    with running([Painter]) as shop:
        assert isinstance(shop.send("Painter", "picture"), msg.MLResponse)
