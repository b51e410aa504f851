"""A model on Hugging Face's hub, or on a mirror that speaks its language: its commit, its files, its refusals."""

import os
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from inference.address import HUB, Repository, endpoint
from inference.errors import DownloadFailed, DownloadRefused, OriginUnreachable
from inference.line import LedAway, Line, Refused, is_busy, patient, retry_after
from inference.origin import Origin
from inference.transfer import Damaged, RemoteFile, there

_T = TypeVar("_T")
_ASK_S = 30.0
_WITHOUT_TIMM = "no_timm"


class Hub:
    """One repository at one commit. Asks the hub when it is made; raises `DownloadFailed`."""

    def __init__(self, address: Repository, *, commit: str | None = None, token: str | None = None) -> None:
        """`commit` goes before the address's revision: what a folder that is to be mended was made from."""
        from huggingface_hub import HfApi
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        self.address, self.endpoint = address, endpoint()
        self.taken: str | None = None
        self._token = token
        if _is_offline():
            raise OriginUnreachable(f"{self} is not here whole, and {_OFFLINE.format(self.endpoint)}")
        headers = build_hf_headers(token=token)
        self._headers = {name: value for name, value in headers.items() if name.lower() == "authorization"}
        self._api = HfApi(endpoint=self.endpoint, token=token)
        self.line = Line(self.endpoint, headers=self._headers, leave=True)
        info = self._asked(
            lambda: self._api.model_info(
                address.name, revision=commit or address.revision, files_metadata=True, timeout=_ASK_S
            )
        )
        self.repository, self.commit = str(info.id or address.name), str(info.sha)
        self.files = {file.rfilename: self._remote(file) for file in info.siblings or ()}

    def __str__(self) -> str:
        return f"{self.address}"

    @property
    def place(self) -> str:
        return f" from {self.endpoint}"

    @property
    def origin(self) -> Origin:
        asked = self.address
        return Origin(self.endpoint, asked.name, self.repository, asked.revision, self.taken, self.commit)

    def bring_small(self, names: Collection[str], folder: Path) -> None:
        """Bring the files that are not in LFS with the hub's own client. What it leaves out is fetched afterwards.

        The weights do not come this way: this client gives up what it has of a file when a download fails or the
        process ends, and takes any files that lie in the folder for a whole model when the hub is away.
        """
        small = [name for name in names if not self.files[name].sha256 and not set(name) & set("*?[")]
        if not small:
            return
        from huggingface_hub import snapshot_download

        self._asked(
            lambda: snapshot_download(
                self.repository,
                revision=self.commit,
                local_dir=folder,
                allow_patterns=small,
                endpoint=self.endpoint,
                token=self._token,
                max_workers=4,
                tqdm_class=_silent_bar(),
            )
        )
        shutil.rmtree(folder / ".cache", ignore_errors=True)

    def measured(self, file: RemoteFile) -> RemoteFile:
        """The file as it is: the hub lists sizes."""
        return file

    def at_hand(self, file: RemoteFile) -> Path | None:
        """Where the cache of the hub's own client on this machine holds `file`, if it does, and whole."""
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(self.repository, file.name, revision=self.commit)
        return Path(cached) if isinstance(cached, str) and there(file, Path(cached)) else None

    def instead(self, folder: Path) -> "Hub | None":
        """Another revision for a model whose backbone needs the package timm; None if this one can be used as it is.

        Only where no revision was asked for. Raises `DownloadRefused` if the repository has none.
        """
        if not _needs_timm(folder):
            return None
        cure = "install the package timm (on a computer without a GPU together with torchvision's CPU build)"
        if self.address.revision:
            raise DownloadRefused(
                f"{self} needs the package timm for its backbone. Set revision={_WITHOUT_TIMM} if the model has that "
                f"branch, or {cure}, or choose another model."
            )
        refs = self._asked(lambda: self._api.list_repo_refs(self.repository))
        if _WITHOUT_TIMM not in {branch.name for branch in refs.branches}:
            raise DownloadRefused(
                f"{self} needs the package timm for its backbone, and has no branch {_WITHOUT_TIMM}. Choose another "
                f"model, or {cure}."
            )
        other = Hub(replace(self.address, revision=_WITHOUT_TIMM), token=self._token)
        other.address, other.taken = self.address, _WITHOUT_TIMM
        return other

    def explain(self, error: Exception, file: str = "") -> DownloadFailed:
        """What `error` means for who waits for the model, and what to do about it."""
        what = f"{self}{f' ({file})' if file else ''} could not be downloaded from {self.endpoint}"
        if isinstance(error, Refused):
            return self._refusal(error, what)
        if isinstance(error, Damaged):
            return DownloadFailed(
                f"{what}: it arrived with {error}. Something on the way changes it (a proxy, a mirror with an old "
                "copy); try again, or ask whoever runs the mirror."
            )
        if isinstance(error, LedAway):
            return DownloadRefused(f"{what}: it leads to {error}, which may not be followed. Correct HF_ENDPOINT.")
        if type(error).__name__ == "OfflineModeIsEnabled":  # it was set when the process began
            return OriginUnreachable(f"{what}: {_OFFLINE.format(self.endpoint)}")
        return unreachable(error, what)

    def _refusal(self, error: Refused, what: str) -> DownloadFailed:
        signed, reason = bool(self._headers), f", {error.reason}" if error.reason else ""
        give = "give a token in the environment variable HF_TOKEN"
        if error.code == "GatedRepo":
            why, then = ("the token has no access yet", "") if signed else ("no token was given", f", then {give}")
            return DownloadRefused(
                f"{what}: its owner asks readers to accept terms, and {why}. Accept them on the model's page with the "
                f"account of the token, and wait for the owner's approval if it asks for one{then}."
            )
        if error.code == "RevisionNotFound":
            return DownloadRefused(
                f"{what}: it has no revision {self.address.revision!r}. Correct the setting revision, or leave it out."
            )
        if error.status == 401 and signed:
            return DownloadRefused(
                f"{what}: the hub does not accept the token (wrong, expired or withdrawn). Make a new one under Access "
                "Tokens in the hub's settings and put it into the environment variable HF_TOKEN, or take the wrong one "
                "away: public models need none."
            )
        if error.code == "RepoNotFound" or (error.status in (401, 404) and error.code != "EntryNotFound"):
            return DownloadRefused(
                f"{what}: there is no such model, or it is private. Check the spelling of model_url; for a private "
                f"model {give}."
            )
        if error.code == "EntryNotFound":
            return DownloadRefused(f"{what}: the hub lists this file and does not have it. Choose another revision.")
        if error.status in (403, 451):
            return DownloadRefused(
                f"{what}: access is refused ({error.status}{reason}). Give a token that may read this model (a "
                "fine-grained one needs the right to read gated repositories)."
            )
        if error.status == 429:
            again = f" in {error.retry_after_s:.0f} s" if error.retry_after_s else " later"
            return OriginUnreachable(f"{what}: too many requests came from here. Try again{again}; {_MORE}.")
        if is_busy(error.status):
            return OriginUnreachable(
                f"{what}: the hub is overloaded or being repaired ({error.status}, asked several times). Try again "
                "later: what arrived is kept."
            )
        return DownloadFailed(f"{what}: it answered {error.status}{reason}. {_TRY_AGAIN}.")

    def _remote(self, file: Any) -> RemoteFile:
        path = f"{quote(self.repository)}/resolve/{quote(self.commit, safe='')}/{quote(file.rfilename)}"
        lfs = file.lfs.sha256 if file.lfs else None
        git = file.blob_id if not lfs and file.blob_id and len(file.blob_id) == 40 else None
        return RemoteFile(file.rfilename, f"{self.endpoint}/{path}", file.size, lfs, git)

    def _asked(self, question: Callable[[], _T]) -> _T:
        """The client's answer, asked again while the hub is busy; raises `DownloadFailed`."""
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
        from huggingface_hub.errors import HTTPError as HubError  # type: ignore[attr-defined]

        tried = 0
        while True:
            try:
                return question()
            except HfHubHTTPError as error:
                refused = _as_refused(error.response.status_code, error.response.headers)
                if not is_busy(refused.status) or not patient(tried, refused.retry_after_s):
                    raise self.explain(refused) from error
            except HFValidationError as error:
                raise self.explain(Refused(404, "RepoNotFound")) from error
            except (ValueError, LookupError, TypeError) as error:  # what it makes of another server's page
                raise DownloadRefused(
                    f"{self.endpoint} does not answer as a hub does. Correct HF_ENDPOINT, or unset it for {HUB}."
                ) from error
            except (HubError, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
                    raise  # the disk
                raise self.explain(error) from error
            tried += 1


_OFFLINE = (
    "HF_HUB_OFFLINE forbids to ask {}. Unset it and start again, or copy the model's folder into src/model yourself."
)
_TRY_AGAIN = "Try again (what arrived is kept), or copy the model's folder into src/model yourself"
_MORE = "with a token (the environment variable HF_TOKEN) the hub allows more"


def unreachable(error: Exception, what: str) -> DownloadFailed:
    """What a failure of the network means."""
    names = {type(one).__name__ for one in _chain(error)}
    text = " ".join(str(one) for one in _chain(error))
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return OriginUnreachable(
            f"{what}: its certificate is not trusted here. If a proxy of yours opens connections, name its certificate "
            "in the environment variables SSL_CERT_FILE and REQUESTS_CA_BUNDLE."
        )
    if "ProxyError" in names:
        return OriginUnreachable(f"{what}: the proxy does not let it through. Correct HTTPS_PROXY and NO_PROXY.")
    if "[SSL" in text or "SSLError" in names:
        why = "it does not speak TLS as it should (perhaps it is http, not https)"
    elif "Name or service not known" in text or "getaddrinfo" in text or "name resolution" in text:
        why = "its name cannot be resolved; this machine is offline, or the name is wrong"
    elif any("Timeout" in name for name in names):
        why = "it gives no answer in time"
    elif "Cut" in names or "ChunkedEncodingError" in names or "RemoteProtocolError" in names:
        why = "the connection is cut again and again"
    elif "refused" in text:
        why = "nobody listens at that address (connection refused)"
    else:
        why = "the network fails"
    return OriginUnreachable(f"{what}: {why}. Check the network. {_TRY_AGAIN}.")


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what it comes from, also what HTTP clients hold in `args`."""
    found: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def _as_refused(status: int, headers: Mapping[str, str]) -> Refused:
    reason = headers.get("X-Error-Message", "")[:200]
    return Refused(status, headers.get("X-Error-Code", ""), reason, retry_after(headers))


def _is_offline() -> bool:
    return any(
        os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


def _silent_bar() -> type[Any]:
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

    return Silent


def _needs_timm(folder: Path) -> bool:
    """Whether the configuration in `folder` names a backbone of timm, which is not installed."""
    from importlib.util import find_spec

    text = (folder / "config.json").read_text(encoding="utf-8", errors="replace")
    if find_spec("timm") or not any(word in text for word in ("timm", "backbone", "detr", "table-transformer")):
        return False  # without the seconds that transformers takes to load
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ImportError):
        return False  # what else is wrong with it, the loading tells
    kinds = (config.model_type, getattr(getattr(config, "backbone_config", None), "model_type", ""))
    return bool({"timm_backbone", "timm_wrapper"} & set(kinds))
