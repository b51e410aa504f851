"""Where a model comes from, as people paste it: a repository of the hub, or a folder on another web server."""

import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from inference.errors import DownloadFailed

HUB = "https://huggingface.co"
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co")
_NO_MODELS = {
    *("datasets", "spaces", "docs", "blog", "posts", "papers", "collections", "organizations", "tasks", "learn"),
    *("buckets", "kernels", "jobs", "settings", "pricing", "join", "login", "chat", "api", "models"),
}
_OF_REVISION = ("tree", "blob", "resolve", "raw", "commit", "commits", "blame", "edit")
_OF_NONE = ("discussions", "settings", "refs")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?")
_TYPED = re.compile(r"(?:git clone|hf download|huggingface-cli download)\s+(\S+)|.*from_pretrained\(\s*[\"']([^\"']+)")


@dataclass(frozen=True)
class Repository:
    """A model on the hub; `revision` is a branch, a tag or a commit, None for the main branch."""

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.name}{f' at {self.revision}' if self.revision else ''}"


@dataclass(frozen=True)
class WebFolder:
    """A folder on a web server that is no hub: `url` ends with a slash and holds no query and no password."""

    url: str

    def __str__(self) -> str:
        return self.url


Address = Repository | WebFolder


def endpoint() -> str:
    """The hub's address; the environment variable `HF_ENDPOINT` names a mirror. Read whenever it is needed."""
    return (os.environ.get("HF_ENDPOINT", "").strip() or HUB).rstrip("/")


def chosen(model_url: str | None, repo_id: str | None, revision: str | None) -> Address | None:
    """The address that an item's settings mean, None if they name none; raises `DownloadFailed`.

    `revision` goes before one that is part of the address.
    """
    model_url, repo_id, revision = ((text or "").strip() for text in (model_url, repo_id, revision))
    if not (model_url or repo_id):
        return None
    address = parse(model_url or repo_id)
    named = parse(repo_id) if repo_id else None
    if isinstance(named, WebFolder):
        raise DownloadFailed(f"repo_id={named} is no owner/name. Give another address as model_url instead.")
    if named and (isinstance(address, WebFolder) or address.name != named.name):
        raise DownloadFailed(f"model_url ({address}) and repo_id ({named}) name two models. Set one of them.")
    if not revision:
        return address
    if isinstance(address, WebFolder):
        raise DownloadFailed(f"{address} is a web folder, which has no revisions. Leave the setting revision out.")
    return Repository(address.name, revision)


def parse(text: str) -> Address:
    """What `text` names: `owner/name`, `hf://owner/name@revision`, any page of a model on the hub, or a web folder.

    Raises `DownloadFailed` for what is neither.
    """
    given = text.strip().strip("\"'<>").strip()
    if typed := _TYPED.match(given):
        given = typed[1] or typed[2]
    given = re.sub(r"^git@hf\.co:", "https://hf.co/", given)
    if "://" not in given and re.match(r"[\w\-]+(\.[\w\-]+)+/", given):
        given = f"https://{given}"  # huggingface.co/gpt2, as some browsers show it
    if "://" not in given:
        return _repository([*given.split("@")[0].split("/")], given, given.partition("@")[2])
    scheme = given.partition("://")[0].lower()
    if scheme == "hf":
        path, _, revision = given[5:].partition("@")
        steps = [step for step in path.split("/") if step]
        steps = steps[1:] if steps[:1] == ["models"] else steps
        first, _, _file = revision.partition("/") if not revision.startswith("refs/") else (revision, "", "")
        return _repository(steps if revision else steps[:2], text, unquote(first))
    if scheme not in ("http", "https"):
        raise DownloadFailed(f"{_shown(text)} is not an http or https address. {_HOW}")
    return _on_the_web(given, text)


_HOW = f"Give model_url as {HUB}/owner/name, as owner/name, or as the address of a web folder with the model's files."


def _on_the_web(url: str, text: str) -> Address:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError as error:
        raise DownloadFailed(f"{_shown(text)} is no address ({error}). {_HOW}") from error
    if not host or any(letter.isspace() or ord(letter) < 32 for letter in url):
        raise DownloadFailed(f"{_shown(text)} is no address. {_HOW}")
    mirror = urlsplit(endpoint())
    below = mirror.path.rstrip("/") + "/"
    if parts.netloc == mirror.netloc and (parts.path + "/").startswith(below):
        return _page(parts.path[len(below) - 1 :], text)
    if host in _HUB_HOSTS:
        return _page(parts.path, text)
    if parts.username or parts.password:
        raise DownloadFailed(
            f"The address of {host} holds a user or a password, and addresses are stored and shown. Take them out; put "
            "them into the file ~/.netrc of the account that runs the production."
        )
    path = parts.path
    last = path.rsplit("/", 1)[-1]
    if re.search(r"\.(json|txt|safetensors|html?|bin|md|model|jinja)$", last, re.IGNORECASE):
        path = path[: -len(last)]  # the address of one of its files
    return WebFolder(f"{parts.scheme.lower()}://{parts.netloc}{path.rstrip('/')}/")


def _page(path: str, text: str) -> Repository:
    """The model whose page, file or listing lies at `path` on the hub."""
    steps = [unquote(step) for step in path.split("/") if step]
    if steps[:2] == ["api", "models"]:
        steps = steps[2:]
    at = next((place for place, step in enumerate(steps[1:3], start=1) if step in (*_OF_REVISION, *_OF_NONE)), None)
    if at is None and "revision" in steps[1:3]:
        at = steps.index("revision", 1)
    if at is None:
        return _repository(steps, text, "")
    kind, after = steps[at], [step for part in steps[at + 1 :] for step in part.split("/")]
    if kind in _OF_NONE or not after:
        return _repository(steps[:at], text, "")
    taken = 3 if after[:1] == ["refs"] else 1
    revision, rest = "/".join(after[:taken]), after[taken:]
    if rest and kind == "tree":
        raise DownloadFailed(
            f"{_shown(text)} names the folder {'/'.join(rest)} inside a repository; a model is taken from the "
            "repository's top. Give the address without it (for a branch with a slash in its name, set revision)."
        )
    return _repository(steps[:at], text, revision)


def _repository(steps: list[str], text: str, revision: str) -> Repository:
    name = "/".join(steps).removesuffix(".git")
    if not _REPOSITORY.fullmatch(name) or ".." in name or steps[0] in _NO_MODELS:
        raise DownloadFailed(f"{_shown(text)} does not name a model. {_HOW}")
    return Repository(name, revision or None)


def _shown(text: str) -> str:
    """`text` for a message: without a query and without a password, and not too long."""
    plain = re.sub(r"//[^/@\s]*@", "//", text.strip()).split("?")[0]
    return repr(plain if len(plain) <= 120 else f"{plain[:100]}...")
