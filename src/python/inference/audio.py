"""Sounds in and out: decoded safely from bytes, mixed to one channel, brought to a model's rate, written as WAV."""

import io
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from inference import source
from inference.errors import SoundNotReadable

if TYPE_CHECKING:
    import numpy

LIMIT_BYTES = 50_000_000
LIMIT_SAMPLES = 90_000_000
"""Of one channel: half an hour at 48 kHz, 360 MB in memory."""

RATES_HZ = (1_000, 768_000)
_BLOCK_VALUES = 1 << 20  # decoded at once, over all channels
_CURE = "Give a WAV, FLAC, OGG (Vorbis, Opus) or MP3 file"

# Beginnings of the files that PyAV may open here. A format that names other files (a playlist) is not among them.
_CONTAINERS: dict[str, Callable[[bytes], bool]] = {
    "mov,mp4,m4a": lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide"),
    "matroska,webm": lambda head: head[:4] == b"\x1a\x45\xdf\xa3",
    "aac": lambda head: head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0,
    "asf": lambda head: head[:4] == b"\x30\x26\xb2\x75",
    "amr": lambda head: head[:5] == b"#!AMR",
}


@dataclass(frozen=True)
class Sound:
    """One channel of `samples` (float32, shape (n,), from -1 to 1), `rate_hz` of them in a second."""

    samples: "numpy.ndarray[Any, Any]" = field(repr=False)
    rate_hz: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate_hz


def read(reference: str, *, timeout_s: float = source.TIMEOUT_S) -> Sound:
    """The sound that an address, a path or a data URI stands for.

    Raises what `source.read` raises, and `SoundNotReadable`.
    """
    return decode(source.read(reference, timeout_s=timeout_s, limit_bytes=LIMIT_BYTES), what=source.short(reference))


def decode(data: bytes, what: str = "The sound") -> Sound:
    """The sound in `data`, its channels mixed to one; `what` names it in errors. Raises `SoundNotReadable`."""
    try:
        import soundfile
    except ModuleNotFoundError as error:
        raise SoundNotReadable(
            "Sounds are read with the package soundfile. Install it: pip install soundfile."
        ) from error
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return _from_soundfile(file, what)
    except (soundfile.SoundFileError, ValueError, TypeError) as error:
        head = data[:16]
        kind = next((name for name, begins in _CONTAINERS.items() if begins(head)), None)
        if kind is None or isinstance(error, SoundNotReadable):
            raise _unreadable(what, str(error)) from error
        return _from_container(data, kind, what)


def from_numbers(values: Any, rate_hz: Any) -> Sound:
    """A sound from a list of samples, or of channels of samples. Raises `SoundNotReadable`."""
    import numpy as np

    if not isinstance(rate_hz, int) or isinstance(rate_hz, bool):
        raise SoundNotReadable(f"sampling_rate={rate_hz!r} is no whole number. Give the samples in a second.")
    try:
        samples = np.asarray(values, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise SoundNotReadable(f"The samples are no list of numbers ({error}). Send numbers from -1 to 1.") from error
    if samples.ndim == 2:
        samples = samples.mean(axis=0 if samples.shape[0] < samples.shape[1] else 1)
    if samples.ndim != 1:
        raise SoundNotReadable("The samples are no list of numbers. Send numbers from -1 to 1.")
    return _checked([samples], rate_hz, "The sound")


def at_rate(sound: Sound, rate_hz: int) -> "numpy.ndarray[Any, Any]":
    """The samples (float32, shape (n,)) at `rate_hz`."""
    if sound.rate_hz == rate_hz:
        return sound.samples
    try:
        import soxr
    except ModuleNotFoundError as error:
        raise SoundNotReadable(
            f"The sound has {sound.rate_hz} samples in a second and this model hears {rate_hz}. Install the package "
            f"soxr (pip install soxr), or convert the sound."
        ) from error
    samples: numpy.ndarray[Any, Any] = soxr.resample(sound.samples, sound.rate_hz, rate_hz)
    return samples


def encode(samples: Any, rate_hz: int) -> bytes:
    """`samples` (shape (n,) or (channels, n), from -1 to 1) as a WAV file of 16 bits; what is no number is silence."""
    import numpy as np

    channels = np.atleast_2d(np.asarray(samples, dtype=np.float32))
    whole = (np.clip(np.nan_to_num(channels), -1.0, 1.0) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels.shape[0])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(whole.T.tobytes())
    return buffer.getvalue()


def _from_soundfile(file: Any, what: str) -> Sound:
    rows = max(1, _BLOCK_VALUES // max(1, file.channels))
    blocks, samples = [], 0
    while len(block := file.read(rows, dtype="float32", always_2d=True)):
        samples += len(block)
        _check_length(samples, file.samplerate, what)
        blocks.append(block.mean(axis=1))
    return _checked(blocks, file.samplerate, what)


def _from_container(data: bytes, kind: str, what: str) -> Sound:
    """What soundfile cannot read, such as AAC in MP4, by PyAV where it is installed."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise SoundNotReadable(
            f"{what} is in a format that needs the package av (FFmpeg). Install it (pip install av), or convert the "
            f"file. {_CURE}."
        ) from error
    blocks: list[Any] = []
    samples, rate_hz = 0, 0
    try:
        with av.open(io.BytesIO(data), mode="r", format=kind.split(",")[0]) as container:
            stream = next(iter(container.streams.audio), None)
            if stream is None or stream.codec_context is None or not stream.rate:
                raise _unreadable(what, "it holds no sound")
            rate_hz = int(stream.rate)
            to_mono = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
            for frame in container.decode(audio=0):
                for piece in to_mono.resample(frame):
                    blocks.append(piece.to_ndarray().reshape(-1))
                    samples += len(blocks[-1])
                _check_length(samples, rate_hz, what)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, SoundNotReadable):
            raise
        raise _unreadable(what, str(error)) from error
    return _checked(blocks, rate_hz, what)


def _checked(blocks: list[Any], rate_hz: int, what: str) -> Sound:
    import numpy as np

    samples = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise SoundNotReadable(
            f"{what} has {rate_hz} samples in a second. Give a sound of {RATES_HZ[0]:,} to {RATES_HZ[1]:,}."
        )
    _check_length(len(samples), rate_hz, what)
    if not len(samples):
        raise SoundNotReadable(f"{what} is empty. Give a sound that lasts.")
    if not np.isfinite(samples).all():
        raise SoundNotReadable(f"{what} has samples that are no numbers. Write it anew.")
    return Sound(samples.astype(np.float32, copy=False), rate_hz)


def _check_length(samples: int, rate_hz: int, what: str) -> None:
    if samples > LIMIT_SAMPLES:
        minutes = LIMIT_SAMPLES / max(rate_hz, 1) / 60
        raise SoundNotReadable(f"{what} lasts longer than {minutes:.0f} minutes. Cut it into pieces.")


def _unreadable(what: str, reason: str) -> SoundNotReadable:
    return SoundNotReadable(f"{what} is no sound that can be read ({reason.strip().rstrip('.')}). {_CURE}.")
