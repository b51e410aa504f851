"""A hub on this machine, as `huggingface_hub` uses one: model info, tree pages, refs, resolve, and a CDN beside it.

Small files are served by the hub itself with git's hash as ETag; files in LFS are redirected to the CDN, a second server,
with `X-Linked-Etag` and `X-Linked-Size`. What shall go wrong is put into `faults`.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, unquote, urlsplit

from unit.inference.local_server import Reply, Request, Server, serving

IN_LFS = (".safetensors", ".bin", ".h5", ".onnx", ".msgpack", ".spm")
PAGE = 3  # files on one page of the tree, so that every model has several


def commit_of(files: dict[str, bytes]) -> str:
    digest = hashlib.sha1()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name])
    return digest.hexdigest()


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class LocalHub:
    """One repository with its branches. `faults[name]` are what the next answers for that file are made to."""

    hub: Server
    cdn: Server
    name: str
    branches: dict[str, dict[str, bytes]]
    aliases: tuple[str, ...] = ()
    gated: bool = False
    private: bool = False
    tokens: dict[str, bool] = field(default_factory=dict)
    """Valid tokens; whether each has access to what is gated."""
    faults: dict[str, list[Callable[[Reply], Reply]]] = field(default_factory=lambda: defaultdict(list))
    down: set[str] = field(default_factory=set)
    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hub.answer, self.cdn.answer = self._answer, self._blob

    @property
    def files(self) -> dict[str, bytes]:
        return self.branches["main"]

    def commit(self, branch: str = "main") -> str:
        return commit_of(self.branches[branch])

    def sent(self, name: str) -> list[str]:
        """The byte ranges of the answers that carried `name`; 'all' for a whole one."""
        blobs = {sha256(files[name]) for files in self.branches.values() if name in files}
        found = [r for r in self.cdn.requests if r.method == "GET" and r.path.split("?")[0].removeprefix("/") in blobs]
        own = f"/resolve/{self.commit()}/{quote(name)}"
        if not name.endswith(IN_LFS):
            found += [
                request for request in self.hub.requests if request.method == "GET" and request.path.endswith(own)
            ]
        return [request.headers.get("Range", "all") for request in found]

    def _answer(self, request: Request) -> Reply:
        path = unquote(urlsplit(request.path).path)
        query = parse_qs(urlsplit(request.path).query)
        for alias in self.aliases:
            for head in (f"/api/models/{alias}", f"/{alias}"):
                if path == head or path.startswith(f"{head}/"):
                    location = request.path.replace(f"/{alias}", f"/{self.name}", 1)
                    return Reply(307, b"", {"Location": location})
        if (fault := self._refused(request, path)) is not None:
            return fault
        if path.startswith(f"/api/models/{self.name}"):
            step, _, rest = path.removeprefix(f"/api/models/{self.name}").strip("/").partition("/")
            return self._faulty("info" if step in ("", "revision") else step, self._api(step, rest, query))
        if path.startswith(f"/{self.name}/resolve/"):
            revision, _, name = path.removeprefix(f"/{self.name}/resolve/").partition("/")
            return self._resolve(request, revision, name)
        return error(404, "RepoNotFound", "Repository not found")

    def _refused(self, request: Request, path: str) -> Reply | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return error(401, "", "Invalid credentials in Authorization header")
        if not path.startswith((f"/api/models/{self.name}", f"/{self.name}/")):
            return error(404 if token else 401, "RepoNotFound", "Repository not found")
        if self.private and not token:
            return error(401, "RepoNotFound", "Repository not found")
        if self.gated and not self.tokens.get(token) and "/resolve/" in path:
            return error(403 if token else 401, "GatedRepo", "Access to this model is restricted")
        return None

    def _files(self, revision: str) -> dict[str, bytes] | None:
        found = self.branches.get(revision, self.kept.get(revision))
        return found or next((files for files in self.branches.values() if commit_of(files) == revision), None)

    def _api(self, step: str, rest: str, query: dict[str, list[str]]) -> Reply:
        if step == "refs":
            names = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": self.commit(name)} for name in self.branches
            ]
            return as_json({"branches": names, "tags": [], "converts": []})
        files = self._files(rest or "main")
        if files is None:
            return error(404, "RevisionNotFound", f"Invalid rev id: {rest}")
        if step == "tree":
            return self._tree(files, rest, query)
        listed = [
            self._sibling(name, data) if "blobs" in query else {"rfilename": name} for name, data in files.items()
        ]
        return as_json({"id": self.name, "modelId": self.name, "sha": commit_of(files), "siblings": listed})

    def _sibling(self, name: str, data: bytes) -> dict[str, object]:
        lfs = {"lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 134}} if name.endswith(IN_LFS) else {}
        return {"rfilename": name, "size": len(data), "blobId": git_sha1(data), **lfs}

    def _tree(self, files: dict[str, bytes], revision: str, query: dict[str, list[str]]) -> Reply:
        first = int(query.get("cursor", ["0"])[0])
        entries = []
        for name, data in [*files.items()][first : first + PAGE]:
            lfs = {"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 134}} if name.endswith(IN_LFS) else {}
            entries.append({"type": "file", "path": name, "size": len(data), "oid": git_sha1(data), **lfs})
        reply = as_json(entries)
        if first + PAGE < len(files):
            more = f"{self.hub.url}/api/models/{self.name}/tree/{revision}?recursive=true&cursor={first + PAGE}"
            reply.headers["Link"] = f'<{more}>; rel="next"'
        return reply

    def _resolve(self, request: Request, revision: str, name: str) -> Reply:
        files = self._files(revision)
        if files is None:
            return error(404, "RevisionNotFound", "Invalid rev id")
        if name not in files:
            return error(404, "EntryNotFound", "Entry not found")
        data, head = files[name], {"X-Repo-Commit": commit_of(files)}
        if not name.endswith(IN_LFS):
            return self._faulty(name, ranged(request, data, {**head, "ETag": f'"{git_sha1(data)}"'}), request)
        head |= {"X-Linked-Etag": f'"{sha256(data)}"', "X-Linked-Size": str(len(data)), "ETag": '"of-the-redirect"'}
        return Reply(302, b"", {**head, "Location": f"{self.cdn.url}/{sha256(data)}?X-Signature=secret"})

    def _blob(self, request: Request) -> Reply:
        if "Authorization" in request.headers:
            return Reply(400, b"a signed address takes no other right")
        wanted = request.path.split("?")[0].removeprefix("/")
        for files in (*self.branches.values(), *self.kept.values()):
            for name, data in files.items():
                if sha256(data) == wanted:
                    return self._faulty(name, ranged(request, data, {"ETag": f'"{wanted}"'}), request)
        return Reply(404)

    def _faulty(self, name: str, reply: Reply, request: Request | None = None) -> Reply:
        if request is not None and request.method != "GET":
            return reply
        if name in self.down:
            return Reply(503)
        return self.faults[name].pop(0)(reply) if self.faults[name] else reply


def cut(at: int, stall_s: float = 0.0) -> Callable[[Reply], Reply]:
    """The answer ends after so many bytes; or, with `stall_s`, nothing comes for so long first."""
    return lambda reply: Reply(reply.status, reply.body, reply.headers, at, stall_s)


def refuse(status: int, **headers: str) -> Callable[[Reply], Reply]:
    return lambda _: Reply(status, b"", {name.replace("_", "-"): value for name, value in headers.items()})


def spoil(reply: Reply) -> Reply:
    """One byte in the middle is another."""
    middle = len(reply.body) // 2
    wrong = bytes([reply.body[middle] ^ 1])
    return Reply(reply.status, reply.body[:middle] + wrong + reply.body[middle + 1 :], reply.headers)


def error(status: int, code: str, message: str) -> Reply:
    head = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return as_json({"error": message}, status, head)


def as_json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})


def ranged(request: Request, data: bytes, headers: dict[str, str]) -> Reply:
    """The data, or the part of it that a Range asks for, if an If-Range names this version."""
    headers = {"Accept-Ranges": "bytes", **headers}
    span = request.headers.get("Range", "").removeprefix("bytes=")
    same = request.headers.get("If-Range") in (None, headers.get("ETag"), headers.get("Last-Modified"))
    if not span or not same:
        return Reply(200, data, headers)
    first = int(span.split("-")[0])
    if first >= len(data):
        return Reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
    return Reply(206, data[first:], {**headers, "Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"})


@contextmanager
def hub_of(name: str, files: dict[str, bytes], **more: dict[str, bytes]) -> Iterator[LocalHub]:
    """A hub with one repository: `files` are its main branch, `more` are others."""
    with serving() as hub, serving() as cdn:
        yield LocalHub(hub, cdn, name, {"main": files, **more})
