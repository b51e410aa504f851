"""What a server says when it does not answer as asked, told with the cure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inference.hosted.rules import TOKENS

MODELS = "https://huggingface.co/models?inference_provider=all"
_CURES = {
    400: "The request does not suit the model. Compare it with the example on the model's page.",
    401: f"The key is wrong or has expired. Make a token at {TOKENS}, and put it into api_key or the credential.",
    402: "The account behind the key has no credit left. Add credit, name who pays in bill_to, or wait for next month.",
    403: f"The key lacks a right. Give its token the right to make calls to inference providers ({TOKENS}).",
    404: "No model is served there. Check its name, or run the model here with MLOperation.",
    408: "The model took too long. Send less, or try again later.",
    410: "This address is closed. Use the one that the model's page shows today, or give model instead of api_url.",
    413: "What was sent is too large. Send less.",
    422: "The request does not suit the model. Compare it with the example on the model's page.",
    429: "Too many requests. Wait, or use a key with a higher limit.",
    503: "The model is not ready. Try again later.",
}


@dataclass(eq=False)
class Refusal(Exception):
    """An answer whose status is not 2xx. `headers` have lower-case names."""

    status: int
    reason: str
    host: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.heading

    @property
    def body(self) -> Any:
        """The answer's JSON, or None."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def said(self) -> str:
        """What the answer says, in one line that ends like a sentence; '' for nothing, or a page for browsers."""
        body = self.body
        text = _message(body) if body is not None else self.content.decode("utf-8", errors="replace").strip()
        if text.startswith("<") or "html" in self.headers.get("content-type", ""):
            text = ""
        line = " ".join(text.split())
        line = line if len(line) <= 300 else f"{line[:297]}..."
        return line if not line or line.endswith((".", "!", "?")) else f"{line}."

    @property
    def heading(self) -> str:
        """Who answered what, as a sentence."""
        reason = f" {self.reason}" if self.reason else ""
        return f"{self.host} answered {self.status}{reason}{f': {self.said}' if self.said else '.'}"

    @property
    def is_about_the_model(self) -> bool:
        """Whether the hub, or the router, does not know the model, or nobody serves it."""
        return self.status == 404 or (self.status == 400 and "not supported" in self.said.lower())


def explain(refusal: Refusal, *, keyed: bool, providers: str = "", tries: int = 1) -> str:
    """The refusal and what to do; `providers` is a sentence about who serves the model."""
    status = refusal.status
    if 300 <= status < 400:
        location = refusal.headers.get("location", "nowhere")
        return (
            f"{refusal.host} leads on to {location}, and what is sent is not sent on. Use that address if you trust it."
        )
    if refusal.path.startswith("/api/models/") and status in (401, 403, 404):
        return f"{refusal.heading} The hub has no such model, or it is private or gated. Check the spelling of model."
    cure = _CURES.get(status) or (
        "The server failed. Try again later." if status >= 500 else "Correct the request as the server says."
    )
    if status == 401 and not keyed:
        cure = f"No key was sent. Put a token from {TOKENS} into api_key, a credential, or the variable HF_TOKEN."
    if refusal.is_about_the_model and providers:
        cure = providers
    after = f" It was called {tries} times." if tries > 1 else ""
    return f"{refusal.heading}{after} {cure}"


def _message(body: Any) -> str:
    """The words of an error answer: the usual names, at any depth, else the JSON itself."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, map(_message, body)))
    if isinstance(body, dict):
        for name in ("error", "message", "detail", "errors", "msg", "error_description"):
            if body.get(name):
                return _message(body[name])
    return "" if body in ({}, None) else json.dumps(body)
