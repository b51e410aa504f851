"""Hosts of every kind for the browser tests: quick, slow, with pictures, raising, broken, with markup in every text."""

import base64
import io
import threading
import time
from dataclasses import dataclass, field

from iop import BusinessOperation, BusinessProcess, Message, PollingBusinessService, handler, setting
from PIL import Image, ImageDraw

MARKUP = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"


GO_ON = threading.Event()  # tests that look at the Trainer's work clear it, so that it waits for them
GO_ON.set()


@dataclass
class Review(Message):
    """A customer's words.

    `text` is what was written, `stars` from 1 to 5.
    """

    text: str = "The tea was lovely and hot."
    stars: int = 5


@dataclass
class Picture(Message):
    """A picture to look at."""

    name: str = "kettle"


@dataclass
class Opinion(Message):
    """What was made of a review."""

    output: list = field(default_factory=list)
    note: str = ""
    images: list = field(default_factory=list)


class Feed(PollingBusinessService):
    """Sends a review now and then."""

    def on_poll(self):
        self.send_request_async("Review Router", Review(text="From the feed"))


class Router(BusinessProcess):
    """Asks several operations about a review and puts the answers together."""

    @handler(Review)
    def on_review(self, request: Review):
        """Ask Sentiment and, for long texts, Sentiment once more."""
        if request.text.startswith("fan"):
            for number in range(3):
                self.send_request_async("Sentiment", Review(text=f"part {number}"), completion_key=str(number))
            return Opinion()
        return self.send_request_sync("Sentiment", request, description="one by one")

    def on_response(self, request, response, call_request, call_response, completion_key):
        return Opinion(output=[*response.output, *call_response.output])


class Sentiment(BusinessOperation):
    """Labels a review."""

    threshold = setting(0.5, description="From which score on a label counts.")
    language = setting("en", description="The language of the reviews.")
    verbose = setting(False, description="Whether every review is written to the log.")
    retries = setting(3, description="How often it is tried again.")

    @classmethod
    def examples(cls, settings):
        """What its tests start from: praise, and complaint."""
        return {Review: [("praise", {"text": "The tea was lovely and hot.", "stars": 5}), ("complaint", {"stars": 1})]}

    @classmethod
    def item_form(cls):
        """What a new one is asked for."""
        return {
            "model": {"help": "A folder, or an address.", "choices": ["reviews", "films"]},
            "task": {"help": "What it does.", "choices": ["text-classification", "ner"]},
        }

    @classmethod
    def item_settings(cls, answers):
        """The settings that this comes to."""
        if answers["model"] == "none":
            raise ValueError("There is no folder 'none': paste an address.")
        return {"name": answers["model"], "task": answers["task"]}

    @handler(Review)
    def on_review(self, request: Review):
        """Answer with a label and a score."""
        self.log_info(f"labelled {request.text}")
        long = "iVBORw0KGgo" * 200 if request.text == "long" else ""
        return Opinion(output=[{"label": "positive", "score": 0.9731, "text": request.text + long}])


class Detector(BusinessOperation):
    """Draws boxes on pictures."""

    @handler(Picture)
    def on_picture(self, request: Picture):
        """Answer with the picture and what is on it."""
        image = Image.new("RGB", (320, 200), "#dfe9e6")
        draw = ImageDraw.Draw(image)
        draw.ellipse((110, 60, 210, 160), fill="#0f7a69")
        draw.rectangle((104, 54, 216, 166), outline="#c2410c", width=3)
        data = io.BytesIO()
        image.save(data, "PNG")
        return Opinion(
            output=[{"label": request.name, "score": 0.88, "box": [104, 54, 216, 166]}],
            note="This model's head is still untrained: its answers mean nothing yet.",
            images=[{"media_type": "image/png", "data": base64.b64encode(data.getvalue()).decode(), "width": 320,
                     "height": 200, "title": f"Boxes on {request.name}"}],
        )  # fmt: skip


class Trainer(BusinessOperation):
    """Takes its time, and says how far it is."""

    @handler(Review)
    def on_review(self, request: Review):
        """Train for a second or two."""
        for step in range(1, 5):
            self.log_info(f"step {step} of 4, loss {1 / step:.3f}")
            time.sleep(0.3)
            if step == 2:
                GO_ON.wait()
        return Opinion(output=[{"accuracy": 0.81}])


class Fragile(BusinessOperation):
    """Raises at every message."""

    @handler(Review)
    def on_review(self, request: Review):
        """Always fails."""
        self.log_warning(f"about to fail: {MARKUP}")
        raise ValueError(f"cannot read {request.text!r}: {MARKUP} Send another review.")


class Broken(BusinessOperation):
    """Cannot be set up."""

    def on_init(self):
        raise FileNotFoundError("There is no model folder src/model/bert-base-cased: run a training first.")
