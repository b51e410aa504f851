"""The business services: where what comes from outside enters the production."""

# No `from __future__ import annotations` here: iop reads annotations.
from queue import SimpleQueue

from iop import BusinessService, PollingBusinessService, controls, setting, target

import msg
import sentiment
import streamlink


class ApplicationService(BusinessService):
    """The door of the application API: its messages are sent in this service's name. See docs/api.md.

    It has no adapter and takes nothing by itself: `api.engine` asks `iop`'s Director for it and sends through it.
    """


class SentimentService(PollingBusinessService):
    """Takes posts from a source and sends each batch of them to be labelled and delivered. See docs/sentiment.md.

    A batch is acknowledged at its source when it was delivered, and not before.
    """

    process = target("Python.SentimentProcess", description="The item that has a batch labelled and delivered.")
    source = setting(
        "file", description="What fills the stream of posts: file (of path), http (POST /posts), or stream: others do."
    )
    path = setting("misc/posts.jsonl", description="The file of the source file, a post a line.")
    rate = setting("2", description="Posts a second that the source file gives; 0: as fast as they are taken.")
    repeat = setting("true", description="false: the file ends at its end; true: it begins anew.")
    host = setting("127.0.0.1", description="The address on which the source http takes posts.")
    port = setting("8089", description="Its port. SENTIMENT_TOKEN in the environment is the key that it asks for.")
    backlog_limit = setting("1000000", description="Posts that may wait; above, the source http refuses more.")
    redis_url = setting("redis://127.0.0.1:6379/0", description="Redis, without a password: that is a credential.")
    credential = setting(
        "", control=controls.credentials(), description="The named account of Redis; empty: REDIS_USERNAME, _PASSWORD."
    )
    prefix = setting("evergreen:sentiment", description="How the keys in Redis begin.")
    group = setting("labellers", description="The consumer group of the source stream.")
    consumer = setting("", description="This consumer's name in it; empty: one of its own.")
    keywords = setting("", description="Only posts with one of these, with commas; empty: all.")
    languages = setting("", description="Only posts in these languages, as en,fr; empty: all.")
    duplicates = setting("post", description="What is skipped the second time: a post, a text, or none.")
    duplicate_window_s = setting("3600", description="Seconds for which a post is remembered as seen.")
    batch_size = setting("64", description="Posts of a batch, at most.")
    max_age_s = setting("0.2", description="Seconds that a post waits for company, at most.")
    longest_text = setting("10000", description="Characters; a longer post is a dead letter.")
    claim_idle_s = setting("60", description="Seconds after which another's unfinished posts are taken over.")
    max_deliveries = setting("3", description="Tries after which a post is a dead letter.")
    timeout = setting("240", description="Seconds to wait for a batch to be delivered; then it is sent again.")

    def on_init(self) -> None:
        chosen = streamlink.options(self)
        self._lines: SimpleQueue[str] = SimpleQueue()  # IRIS hears the thread that it called, and no other
        self._trouble = ""
        self._member = sentiment.opened(chosen, streamlink.link(self, chosen), self._lines.put)

    def on_tear_down(self) -> None:
        self._member.close()
        self._log_lines()

    def on_poll(self) -> None:
        """Send the next batch, once there is one, and wait until it is delivered."""
        stopping = getattr(self.iris_handle, "stopping", None)  # IRIS stops between two calls
        try:
            batch = self._member.next(stopping.is_set if stopping else lambda: False)
        except sentiment.RedisUnreachable as error:
            if self._trouble != str(error):  # once: it is tried again every CallInterval seconds
                self._trouble = str(error)
                self.log_warning(self._trouble)
            return
        self._trouble = ""
        self._log_lines()
        if batch is not None:
            request = msg.SentimentRequest(batch=batch.as_dict())
            try:
                self.send_request_sync(self.process, request, float(self.timeout), f"{len(batch.posts)} posts")
            except BaseException:  # a stop, too: it comes again, here or elsewhere
                self._member.failed(batch)
                raise
            self._member.done(batch)
        self._wait_for_next_call_interval = False

    def _log_lines(self) -> None:
        while not self._lines.empty():
            self.log_info(self._lines.get())
