"""What probes and scrapers ask a worker or a receiver: /healthz/startup, live and ready, /metrics, /metrics.json."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sentiment import metrics
from sentiment.errors import RedisUnreachable
from sentiment.overview import Overview

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.routing import Route

Figures = Callable[[], Sequence[dict[str, Any]]]


class Health:
    """Whether this process is alive, and whether what it needs answers.

    Alive is a worker that moves, if only to wait: Redis or the model being away makes it unready and is not mended
    by a restart.
    """

    def __init__(self, overview: Overview, figures: Figures, model_ready: Callable[[], bool] = lambda: True) -> None:
        self._overview = overview
        self._figures = figures
        self._model_ready = model_ready
        self._started = False

    def live(self) -> bool:
        """Whether every loop of this process moves."""
        return all(one.get("alive", True) for one in self._figures())

    def ready(self) -> bool:
        """Whether Redis and the model answer."""
        found = self._state() is not None and self._model_ready()
        self._started = self._started or found
        return found

    def started(self) -> bool:
        """Whether it was ready once."""
        return self._started or self.ready()

    def told(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {"ready": self.ready(), "stream": self._state(), "here": list(self._figures())}

    def prometheus(self) -> str:
        """Everything, for a scraper."""
        return metrics.text(self._state(), self._figures(), self.ready())

    def _state(self) -> dict[str, Any] | None:
        try:
            return self._overview.state()
        except RedisUnreachable:
            return None


def app(health: Health, more: "Sequence[Route]" = ()) -> "Starlette":
    """The probes' paths, and `more`."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route

    def probe(path: str, asked: Callable[[], bool]) -> Route:
        async def answer(_: Request) -> Response:
            good = await run_in_threadpool(asked)
            return PlainTextResponse("ok\n" if good else "no\n", 200 if good else 503)

        return Route(path, answer)

    async def as_json(_: Request) -> Response:
        return JSONResponse(await run_in_threadpool(health.told))

    async def as_text(_: Request) -> Response:
        found = await run_in_threadpool(health.prometheus)
        return PlainTextResponse(found, media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            probe("/healthz/startup", health.started),
            probe("/healthz/live", health.live),
            probe("/healthz/ready", health.ready),
            Route("/metrics", as_text),
            Route("/metrics.json", as_json),
            *more,
        ]
    )
