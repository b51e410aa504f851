"""Write the parts of docs/ that come from the code: the settings' page and the state picture."""

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src" / "python"))

import bo  # noqa: E402
from irislite.header import state_diagram  # noqa: E402

RUNTIME = (
    ("PORT", "52795", "The port of portal and REST."),
    ("HOST", "127.0.0.1", "The address to listen on. Anything else makes the portal reachable from outside."),
    ("IRISUSERNAME", "SuperUser", "The user who may sign in."),
    ("IRISPASSWORD", "made at the first start", "The password. A made one is shown once and kept in `<data folder>/password`."),
    ("IRISLITE_HOME", "`.irislite` beside the production file", "The data folder: messages, tables, log, password."),
    ("IRISLITE_SYNCHRONOUS", "FULL", "FULL: what is accepted survives a power cut. NORMAL: the end of the process; faster."),
    ("IRISLITE_PURGE_DAYS", "0", "The running server purges finished messages older than so many days, once a day. 0: nothing is purged by itself."),
    ("IRISLITE_ALLOWED_HOSTS", "", "Further host names the server answers to, separated by commas."),
    ("IRISLITE_ALLOW_MIGRATE", "1", "0 refuses `iop --migrate`, which runs code that is uploaded."),
    ("IRISNAMESPACE", "IRISAPP", "The namespace's name."),
    ("EVERGREEN_DEMO", "1", "0 leaves the main job out of the very first start."),
    ("EVERGREEN_ROOT", "the project's folder", "What `/irisdev/app/` means off the container."),
    ("EVERGREEN_ALLOWED_PATHS", "", "Further folders whose files a request may name, separated by `:`."),
    ("EVERGREEN_ALLOW_PRIVATE_URLS", "0", "1 lets requests fetch pictures from private and loopback addresses."),
    ("EVERGREEN_KEPT_MODELS", "16", "How many loaded models stay in memory."),
    ("HF_ENDPOINT", "Hugging Face's hub", "Where `model_url` and `dataset` download from; see [models](models.md)."),
    ("HF_HUB_OFFLINE", "0", "1 forbids to ask the hub: only models that are there are used."),
    ("EVERGREEN_MODEL_LIMIT_GB", "100", "How large a model may be that is downloaded."),
    ("HF_TOKEN", "", "The key of hosted models and of the hub, where nothing else gives one; see [hosted models](hosted.md)."),
    ("HF_TOKEN_NAME", "", "The key of the credential `name`, which the setting `credential` of `HFOperation` may name."),
)  # fmt: skip


def settings_page() -> str:
    """docs/settings.md: every setting of every operation, and the runtime's variables."""
    lines = [
        "# Settings",
        "",
        "Made by `python scripts/pages.py` from the declarations in `src/python/bo.py`; do not edit.",
        "",
        "A setting is typed on an item, as a line `name=value` of its `%settings`. A setting that is not listed here is an",
        "*option*: `MLOperation` hands it, typed, to the transformers pipeline, which refuses what it does not take.",
    ]
    for operation in (bo.HFOperation, bo.MLOperation, bo.TuningOperation):
        lines += ["", f"## {operation.__name__}", "", (operation.__doc__ or "").strip(), ""]
        lines += ["| setting | default | required | meaning |", "|---|---|---|---|"]
        for name, _type, default, required, _category, description, *_ in operation._get_properties():
            lines.append(f"| `{name}` | {_code(default)} | {'yes' if required else ''} | {description} |")
    lines += ["", "## Variables of the runtime", "", "For `make run` and `irislite run FILE` alike.", ""]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in RUNTIME]
    return "\n".join(lines) + "\n"


def with_state_picture(page: str) -> str:
    """docs/architecture.md with the picture of the message's states drawn anew."""
    return re.sub(r"```mermaid\nstateDiagram.*?```", f"```mermaid\n{state_diagram()}\n```", page, flags=re.DOTALL)


def _code(value: Any) -> str:
    return f"`{value}`" if value != "" else ""


def main() -> None:
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    architecture = ROOT / "docs" / "architecture.md"
    architecture.write_text(with_state_picture(architecture.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
