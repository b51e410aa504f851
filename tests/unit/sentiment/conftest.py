"""One redis-server for all tests here; each has a prefix of its own."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import real_redis
import sentiment

Made = Callable[..., tuple[sentiment.Options, sentiment.Link]]


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with real_redis.running(tmp_path_factory.mktemp("redis")) as port:
        yield port


@pytest.fixture
def made(redis_port: int) -> Iterator[Made]:
    """Options with a prefix of this test, and a link: `made(batch_size=5)`."""
    prefix, links = f"test-{uuid.uuid4().hex}", []

    def make(**settings: Any) -> tuple[sentiment.Options, sentiment.Link]:
        told = {"source": "stream", "prefix": prefix, "redis_url": f"redis://127.0.0.1:{redis_port}/0", **settings}
        options = sentiment.Options.parse(told)
        links.append(sentiment.connect(options))
        return options, links[-1]

    yield make
    for link in links:
        link.close()


@pytest.fixture
def put(made: Made) -> Callable[..., list[str]]:
    """Puts posts into the stream of this test: texts, dictionaries, or bytes as they are."""
    options, link = made()

    def add(*posts: Any) -> list[str]:
        import json

        names, ids = sentiment.Names(options.prefix), []
        for post in posts:
            told = {"text": post} if isinstance(post, str) else post
            body = told if isinstance(told, bytes) else json.dumps(told).encode()
            with link.reached() as redis:
                ids.append(redis.xadd(names.posts, {"post": body}).decode())
        return ids

    return add
