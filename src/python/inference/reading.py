"""What a request names is read: pictures, sounds and films, all of them together within limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from inference import audio, images, source, video
from inference.bounds import describe
from inference.errors import InputRefused
from inference.tasks import Task

# What one request may hold decoded in memory at once.
_LIMIT_PIXELS = 4 * images.LIMIT_PIXELS
_LIMIT_SAMPLES = 2 * audio.LIMIT_SAMPLES
_LIMIT_FILM_BYTES = 2 * video.LIMIT_BYTES


@dataclass
class Reader:
    """Reads what a request names; all of it together stays within the limits."""

    timeout_s: float
    pixels: int = 0
    samples: int = 0
    film_bytes: int = 0
    read_before: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, task: Task, fields: Mapping[str, Any], settings: Mapping[str, Any]) -> "Reader":
        given = fields.get("timeout") if fields.get("timeout") is not None else settings.get("timeout")
        return cls(source.TIMEOUT_S if given is None or "timeout" not in task.call_options else _seconds(given))

    def picture(self, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("data_base64"), str):
            value = f"data:;base64,{value['data_base64']}"
        picture = self._once("picture", reference(value), lambda text: images.read(text, timeout_s=self.timeout_s))
        self.pixels = _within(self.pixels + picture.width * picture.height, _LIMIT_PIXELS, "pixels in its pictures")
        return picture

    def sound(self, value: Any) -> audio.Sound:
        if isinstance(value, dict):
            sound = audio.from_numbers(value.get("array", value.get("raw")), value.get("sampling_rate"))
        else:
            text = reference(value, 'or {"array": [0.0, 0.1], "sampling_rate": 16000}')
            sound = self._once("sound", text, lambda text: audio.read(text, timeout_s=self.timeout_s))
        self.samples = _within(self.samples + len(sound.samples), _LIMIT_SAMPLES, "samples in its sounds")
        return sound

    def film(self, value: Any) -> video.Film:
        film: video.Film = self._once("film", reference(value), lambda text: video.read(text, timeout_s=self.timeout_s))
        self.film_bytes = _within(self.film_bytes + len(film.data), _LIMIT_FILM_BYTES, "bytes in its films")
        return film

    def _once(self, kind: str, text: str, read: Callable[[str], Any]) -> Any:
        """What `text` names; read once, however often the request names it."""
        key = f"{kind} {text}"
        if key not in self.read_before:
            self.read_before[key] = read(text)
        return self.read_before[key]


def reference(value: Any, otherwise: str = "") -> str:
    """The text of an address, a path, a data URI or base64. Raises `InputRefused` for anything else."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    what = f"An address, a path or a data URI is needed{f', {otherwise}' if otherwise else ''}"
    raise InputRefused(f"{what}, not {describe(value)}. Send one as text.")


def each(value: Any, read: Callable[[Any], Any]) -> Any:
    """`read` of a value, or of each in a list (lists may lie in lists)."""
    if isinstance(value, list):
        if not value:
            raise InputRefused("The list is empty. Send at least one address or path.")
        return [each(one, read) for one in value]
    return read(value)


def _within(amount: int, limit: int, what: str) -> int:
    if amount > limit:
        raise InputRefused(f"This request has more than {limit:,} {what}. Send them in several requests.")
    return amount


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 600:
        return float(value)
    raise InputRefused(f"timeout={value!r} is no number of seconds from 0 to 600. Correct it, or leave it out.")
