"""Write the parts of docs/ that come from the code: the settings' page and the state picture."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src" / "python"))

import bo  # noqa: E402
import bp  # noqa: E402
import bs  # noqa: E402
from irislite.bridge import components  # noqa: E402
from irislite.environment import VARIABLES  # noqa: E402
from irislite.header import state_diagram  # noqa: E402

RUNTIME = (
    *((variable.name, variable.default, variable.meaning) for variable in VARIABLES),
    ("EVERGREEN_DEMO", "1", "0 leaves the main job out of the very first start."),
    ("OMP_NUM_THREADS", "the cores", "Threads of torch and OpenVINO for one batch."),
    ("EVERGREEN_DATA", "`data` in the project", "What the application itself keeps: keys of its API, and their log."),
    ("EVERGREEN_RUN", "a private folder in the temporary one", "Sockets between this user's processes."),
    ("EVERGREEN_API_RATE", "100", "Requests a second of a key of the [application API](api.md) that has no rate of its own; 0: no limit."),
    ("EVERGREEN_API_PLACES", "128", "Requests of the application API that are worked on at a time."),
    ("EVERGREEN_API_BODY_MB", "16", "The largest body of a request of the application API."),
    ("EVERGREEN_URL", "http://localhost:52795", "Where `evergreen_client` finds the application API."),
    ("EVERGREEN_API_KEY", "", "The key that `evergreen_client` sends."),
    ("EVERGREEN_LINGER_S", "5", "Seconds that the process of a model (`isolation=process`) stays when nobody has it open."),
    ("EVERGREEN_ROOT", "the project's folder", "What `/irisdev/app/` means off the container."),
    ("EVERGREEN_ALLOWED_PATHS", "", "Further folders whose files a request may name, separated by `:`."),
    ("EVERGREEN_ALLOW_PRIVATE_URLS", "0", "1 lets requests fetch pictures from private and loopback addresses."),
    ("EVERGREEN_KEPT_MODELS", "16", "How many loaded models stay in memory."),
    ("HF_ENDPOINT", "Hugging Face's hub", "Where `model_url` and `dataset` download from; see [models](models.md)."),
    ("HF_HUB_OFFLINE", "0", "1 forbids to ask the hub: only models that are there are used."),
    ("EVERGREEN_MODEL_LIMIT_GB", "100", "How large a model may be that is downloaded."),
    ("EVERGREEN_ENERGY_BOOK", "src/model/.energy/book.db", "The file in which the cost of work is added up; see [energy](energy.md)."),
    ("HF_TOKEN", "", "The key of hosted models and of the hub, where nothing else gives one; see [hosted models](hosted.md)."),
    ("MILVUS_TOKEN", "", "Milvus's token, where the item's `credential` names none; see [books](search.md)."),
    ("SENTIMENT_REDIS_URL", "", "The Redis of the three Python.Sentiment items, which are enabled with it; see [sentiment](sentiment.md)."),
    ("SENTIMENT_SOURCE", "file", "What fills their stream; each setting of the service is such a variable of `evergreen sentiment`."),
    ("SENTIMENT_POSITIVE", "4,5,LABEL_3,LABEL_4", "The labels of their model that mean 1."),
    ("SENTIMENT_TOKEN", "", "The key that whoever posts must send; needed if posts are taken from other machines."),
    ("REDIS_USERNAME", "", "The account of Redis, where an item's `credential` names none."),
    ("REDIS_PASSWORD", "", "Its password."),
    ("EVERGREEN_SERVED", "", "The settings of the model that `serving.py` serves; `evergreen serve` writes them."),
    ("EVERGREEN_EXPERIMENT_CACHE", "a folder of the user in the temporary one", "Local copies of experiments that lie at an address, as `s3://`; see [experiments](experiment.md)."),
    ("KUBECONFIG", "`~/.kube/config`", "The cluster of experiments with `LAUNCHER = kubernetes`; see [experiments](experiment.md)."),
    ("JAVA_HOME", "the `java` of the path", "The Java 17 that Spark runs on; see [books](search.md)."),
    ("HF_TOKEN_NAME", "", "The key of the credential `name`, which the setting `credential` of `HFOperation` may name."),
)  # fmt: skip

HOSTS = (
    bo.HFOperation, bo.MLOperation, bo.TuningOperation, bo.SearchOperation, bo.IndexOperation, bo.ExperimentOperation,
    bp.ExperimentProcess, bs.SentimentService, bp.SentimentProcess, bo.SentimentDelivery,
)  # fmt: skip


def settings_page() -> str:
    """docs/settings.md: every setting of every host, and the runtime's variables."""
    lines = [
        "# Settings",
        "",
        "Made by `python scripts/pages.py` from the declarations in `src/python/bo.py`, `bp.py` and `bs.py`; do not edit.",
        "",
        "A setting is typed on an item, as a line `name=value` of its `%settings`. A setting that is not listed here is an",
        "*option*: `MLOperation` hands it, typed, to the transformers pipeline, which refuses what it does not take.",
    ]
    for host in HOSTS:
        lines += ["", f"## {host.__name__}", "", inspect.getdoc(host) or "", ""]
        lines += ["| setting | default | required | meaning |", "|---|---|---|---|"]
        for setting in components.declared_settings(host):
            required = "yes" if setting.required else ""
            lines.append(f"| `{setting.name}` | {_code(setting.default)} | {required} | {setting.description} |")
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
