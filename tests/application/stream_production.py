"""The production of the tests of the stream: the real hosts around a model that knows one word."""

import os
import signal
import sys
from pathlib import Path

from iop import Production

import bo
import bp
import bs
from application import hosts
from irislite.testing import running
from settinglines import format_lines

REDIS = {"redis_url": os.environ["SENTIMENT_REDIS_URL"], "prefix": os.environ.get("PREFIX", "evergreen:sentiment")}
TAKEN = {"source": "stream", "batch_size": "20", "max_age_s": "0.1", "claim_idle_s": "2"}
stream = Production("Stream.Test", testing_enabled=True)
stream.service(
    "Python.SentimentService", bs.SentimentService, pool_size=2,
    settings={"%settings": format_lines(
        {**REDIS, **TAKEN, "keywords": os.environ.get("KEYWORDS", "")}
    )},
    adapter_settings={"CallInterval": "0.2"},
)  # fmt: skip
stream.process(
    "Python.SentimentProcess", bp.SentimentProcess, class_name="Python.SentimentProcess", pool_size=2,
    settings={"%settings": format_lines({"positive": "good"})},
)  # fmt: skip
stream.operation(
    "Python.SentimentDelivery", bo.SentimentDelivery, class_name="Python.SentimentDelivery", pool_size=2,
    settings={"%settings": format_lines(REDIS)},
)  # fmt: skip
stream.operation("Python.MLOperation", hosts.Labels, pool_size=2)
PRODUCTIONS = [stream]
ROOMS = ["rooms.stream"]

if __name__ == "__main__":  # in a process that a test kills: without a portal it starts sooner
    with running(Path(__file__), home=Path(sys.argv[1])):
        signal.pause()
