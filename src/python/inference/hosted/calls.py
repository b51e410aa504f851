"""One call of a hosted model: the key is chosen, the call made until it succeeds or fails, the failure told."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
from huggingface_hub.errors import InferenceTimeoutError, OfflineModeIsEnabled, TextGenerationError
from PIL import Image, UnidentifiedImageError

from inference.answer import Answer, Log
from inference.errors import EndpointError, EndpointUnreachable, InferenceError
from inference.hosted import answers, client, endpoint, waits
from inference.hosted.gate import Call
from inference.hosted.hosting import Hosting
from inference.hosted.refusal import explain
from inference.hosted.request import Request
from inference.hosted.rules import choose_key, scrubber
from inference.hosted.tasks import near
from inference.hosted.waits import GivenUp

_NO_PICTURE = (UnidentifiedImageError, Image.DecompressionBombError)
_EXPLAIN_S = 10.0  # for asking the hub who serves a model, after a call has failed


@dataclasses.dataclass
class _Attempts:
    """The tries of one request; the last one's `Call` says how far it came."""

    hosting: Hosting
    request: Request
    key: str
    timeout_s: float
    log: Log
    call: Call = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.renew(self.timeout_s)

    def renew(self, timeout_s: float) -> Call:
        """The `Call` of a new try."""
        deadline_s = time.monotonic() + timeout_s
        self.call = Call(self.hosting.hosts, self.key, deadline_s, self.hosting.router, self.hosting.hub)
        return self.call

    def by_address(self) -> Callable[[], Answer]:
        url = endpoint.address(self.request.api_url, self.hosting, self.log)
        return lambda: endpoint.post(url, self.request.payload, self.renew(self.timeout_s), self.log)

    def by_name(self) -> Callable[[], Answer]:
        client.check(self.request, self.call)
        planned: client.Plan | None = None

        def attempt() -> Answer:
            nonlocal planned
            call = self.renew(self.timeout_s)
            planned = planned or client.plan(self.request, call)  # pictures are read once
            task, values = planned
            return client.ask(self.request, task, values, call, self.log)

        return attempt

    def providers(self) -> str:
        """A sentence about who serves the model."""
        if self.request.api_url or self.request.by_url:
            return ""
        return client.serving(self.request.name, self.renew(_EXPLAIN_S))


def call(
    hosting: Hosting,
    fields: Mapping[str, Any],
    *,
    vault: Callable[[str], str | None],
    log: Log,
    pause: Callable[[float], object] | None,
) -> Answer:
    """See `Hosting.call`."""
    request = Request.parse(fields)
    key = choose_key(request.api_key, hosting.credential, vault, log)
    hide = scrubber(key)
    timeout_s = request.timeout or hosting.timeout_s
    attempts = _Attempts(hosting, request, key, timeout_s, lambda line: log(hide(line)))
    began_s = time.monotonic()
    with _told(attempts, hide):
        attempt = attempts.by_address() if request.api_url else attempts.by_name()
        answer = waits.patiently(attempt, hosting.failure_timeout_s, attempts.log, pause or time.sleep)
        answer = answers.without(key, answer)
    by = f" by {attempts.call.provider}" if attempts.call.provider else ""
    attempts.log(f"Answered{by} in {time.monotonic() - began_s:.2f} s.")
    return answer


@contextmanager
def _told(attempts: _Attempts, hide: Callable[[str], str]) -> Iterator[None]:
    """Whatever goes wrong within it is raised with the cure and without the key.

    Causes are not chained: they would carry what a server or a library wrote, which may be the key, into the log.
    """
    try:
        yield
    except GivenUp as error:
        raise EndpointError(hide(_given_up(attempts, error)), error.refusal.status) from None
    except InferenceError as error:
        if hide(str(error)) == str(error):
            raise
        raise EndpointError(hide(str(error))) from None
    except OfflineModeIsEnabled:
        raise EndpointUnreachable("HF_HUB_OFFLINE is set. Unset it to call models by name, or give api_url.") from None
    except (TimeoutError, httpx2.TimeoutException, InferenceTimeoutError):
        raise EndpointUnreachable(_late(attempts)) from None
    except TextGenerationError as error:
        words = hide(_first_line(error)).rstrip(".")
        raise EndpointError(f"The model broke off: {words}. Send the request again, or less.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise EndpointUnreachable(hide(_unreachable(attempts, error))) from None
    except RuntimeError as error:  # a provider's own failure, or a connection closed under us
        raise EndpointError(f"{hide(_first_line(error)).rstrip('.')}. Send the request again.") from None
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration, *_NO_PICTURE) as error:
        raise EndpointError(hide(_odd(attempts, error))) from None


def _given_up(attempts: _Attempts, error: GivenUp) -> str:
    refusal = error.refusal
    providers = ""
    if refusal.is_about_the_model and not refusal.path.startswith("/api/models/"):
        client.forget()
        providers = attempts.providers()
    text = explain(refusal, keyed=bool(attempts.key), providers=providers, tries=error.tries)
    if error.asked_s is not None:
        text += (
            f" It asks to wait {error.asked_s:.0f} s, longer than is left of the setting failure_timeout "
            f"({attempts.hosting.failure_timeout_s:g} s)."
        )
    return text


def _late(attempts: _Attempts) -> str:
    return (
        f"{_host(attempts)} gave no whole answer within {attempts.timeout_s:g} s. Raise timeout in the message or the "
        "item's settings, or try again later."
    )


def _unreachable(attempts: _Attempts, error: Exception) -> str:
    reason = _first_line(error).rstrip(".") or type(error).__name__
    if "certificate" in reason.lower():
        return (
            f"The certificate of {_host(attempts)} is not trusted ({reason}). Check the address, or add its authority "
            "to this machine's certificates."
        )
    if isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError):
        return f"{_host(attempts)} broke the connection off ({reason}). Send the request again."
    return f"{_host(attempts)} cannot be reached ({reason}). Check the address and this machine's network."


def _odd(attempts: _Attempts, error: Exception) -> str:
    """What the client refuses before it calls, or an answer that is not what its task answers."""
    reason = _first_line(error).rstrip(".")
    if attempts.call.is_sent:
        return (
            f"{_host(attempts)} answered what the task does not answer ({type(error).__name__}: {reason}). Check that "
            "task is what the model does."
        )
    if provider := re.match(r"Provider '(.*?)' not supported", reason):
        names = re.findall(r"'([a-z-]+)'", str(error).partition("any provider from")[2].partition("]")[0])
        return f"There is no provider {provider[1]!r}.{near(provider[1], names)}"
    if "non-Hugging Face API key" in reason:
        return "The key is not one of Hugging Face's (hf_...). Give one, or name the provider it is for in provider."
    client.forget()
    words = f"{reason}. " if reason else ""
    return f"{words}{attempts.providers() or 'Correct model, provider or task.'}"


def _host(attempts: _Attempts) -> str:
    request = attempts.request
    text = request.api_url or (request.model if request.by_url else attempts.hosting.router)
    try:
        return httpx2.URL(text).netloc.decode("ascii")
    except httpx2.InvalidURL:
        return text


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]
