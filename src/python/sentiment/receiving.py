"""POST /posts: posts over HTTP, accepted when they are in the stream."""

import hmac
import json
import os
import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sentiment.errors import BadRequest, BadSetting, RedisUnreachable, Unreadable
from sentiment.feeding import Lease
from sentiment.link import Link
from sentiment.names import Names
from sentiment.options import Options
from sentiment.post import message_of, read

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

LONGEST_BODY = 1 << 20
MOST_POSTS = 1_000
TOKEN = "SENTIMENT_TOKEN"  # noqa: S105 - the name of an environment variable
_LOOK_S = 1.0
_RETRY_S = 5
_ENDS_S = 5.0
_HERE = ("127.0.0.1", "localhost", "::1")


class Backlogged(RedisUnreachable):
    """So many posts wait that no more are taken."""


class Intake:
    """Puts posts into the stream."""

    def __init__(self, options: Options, link: Link) -> None:
        self._link = link
        self._stream = Names(options.prefix).posts
        self._limit = options.backlog_limit
        self._longest = options.longest_text
        self.accepted = self.refused = 0

    def take(self, body: bytes) -> dict[str, Any]:
        """Accept the posts of a body, all or none; what is to be answered.

        A body is one post, a list of posts, or one post a line. Raises `BadRequest` and `RedisUnreachable`.
        """
        posts = self._posts(body)
        with self._link.reached() as redis:
            waiting = redis.xlen(self._stream)
            if waiting + len(posts) > self._limit:
                raise Backlogged(f"{waiting:,} posts wait, and no more are taken: come again later.")
            with redis.pipeline(transaction=True) as pipe:
                for one, _ in posts:
                    pipe.xadd(self._stream, {"post": one})
                ids = [one.decode() for one in pipe.execute()]
        self.accepted += len(ids)
        ignored = sorted({name for _, names in posts for name in names})
        return {"accepted": len(ids), "ids": ids, **({"ignored": ignored} if ignored else {})}

    def _posts(self, body: bytes) -> list[tuple[bytes, tuple[str, ...]]]:
        """The bytes of each post, and its fields that mean nothing here."""
        found: list[tuple[bytes, tuple[str, ...]]] = []
        try:
            for one in _split(body):
                message = (
                    read(one, self._longest) if isinstance(one, bytes) else message_of(one, self._longest)
                )  # fmt: skip
                found.append((one if isinstance(one, bytes) else json.dumps(one).encode(), message.ignored))
        except Unreadable as error:
            raise BadRequest(f"Post {len(found) + 1}: {error} Nothing of this request was accepted.") from error
        return found


def _split(body: bytes) -> Sequence[Any]:
    """The posts of a body: bytes, or values of a JSON list. Raises `BadRequest` and `Unreadable`."""
    text = body.strip()
    if text.startswith(b"["):
        try:
            found = json.loads(text.decode())
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The list is no JSON in UTF-8 ({error}): correct it and send it again.") from error
    else:
        lines = [line for line in text.split(b"\n") if line.strip()]
        found = lines if len(lines) > 1 and all(line.strip().endswith(b"}") for line in lines) else [text]
    if not 1 <= len(found) <= MOST_POSTS:
        raise BadRequest(f"{len(found)} posts: send 1 to {MOST_POSTS:,} at once.")
    return list(found)


def routes(intake: Intake, token: str) -> "list[Route]":
    """POST /posts for Starlette."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    def refused(status: int, error: object, **headers: str) -> "Response":
        intake.refused += 1
        return JSONResponse({"error": str(error)}, status, headers=headers)

    async def posts(request: "Request") -> "Response":
        """202 when they are in the stream."""
        given = request.headers.get("authorization", "").encode()
        if token and not hmac.compare_digest(given, f"Bearer {token}".encode()):
            return refused(401, "Send the token: Authorization: Bearer ...", **{"WWW-Authenticate": "Bearer"})
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_BODY:
                return refused(413, f"More than {LONGEST_BODY:,} bytes: send fewer posts at once.")
        try:
            return JSONResponse(await run_in_threadpool(intake.take, bytes(body)), 202)
        except BadRequest as error:
            return refused(400, error)
        except RedisUnreachable as error:
            return refused(503, error, **{"Retry-After": str(_RETRY_S)})

    return [Route("/posts", posts, methods=["POST"])]


def token_for(host: str) -> str:
    """The token that requests must show; "" for none, where only this machine can ask. Raises `BadSetting`."""
    token = os.environ.get(TOKEN, "")
    if not token and host not in _HERE:
        raise BadSetting(f"On host={host} anybody could send posts: set {TOKEN}, or host=127.0.0.1.")
    return token


class Served:
    """An application that answers on an address, in a thread, until `stop`. Raises OSError if the address is taken."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        import uvicorn

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=512)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=int(_ENDS_S),
            limit_concurrency=500,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="sentiment-http", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Answer what is asked, and nothing more."""
        self._server.should_exit = True
        self._thread.join(_ENDS_S + 1)
        self._socket.close()


class Door:
    """POST /posts of one machine: whoever holds the lease answers, so that any number may be started."""

    def __init__(self, options: Options, link: Link, log: Callable[[str], None]) -> None:
        self._options = options
        self._intake = Intake(options, link)
        self._token = token_for(options.host)
        self._lease = Lease(link, Names(options.prefix).feeder)
        self._log = log

    def run(self, wait: Callable[[float], bool]) -> None:
        """Answer until `wait`, as `threading.Event.wait`, returns True."""
        from starlette.applications import Starlette

        served: Served | None = None
        said = ""
        app = Starlette(routes=routes(self._intake, self._token))
        try:
            while not wait(_LOOK_S):
                try:
                    if self._lease.held() and served is None:
                        served = Served(app, self._options.host, self._options.port)
                        self._log(f"Posts are taken at http://{self._options.host}:{served.port}/posts.")
                    said = ""
                except (OSError, RedisUnreachable) as error:  # another process has the port; Redis is away
                    if said != str(error):
                        said = str(error)
                        self._log(f"{error} It is tried again.")
        finally:
            if served:
                served.stop()
