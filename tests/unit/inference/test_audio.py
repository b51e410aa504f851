"""Sounds: read from what people have, at the rate a model hears, within limits."""

import io
from typing import Any

import numpy as np
import pytest

import tiny_media
from inference import audio
from inference.errors import SoundNotReadable


@pytest.mark.parametrize(
    ("kind", "rate_hz", "channels"),
    [("WAV", 16_000, 1), ("WAV", 44_100, 2), ("FLAC", 48_000, 2), ("OGG", 22_050, 1), ("MP3", 44_100, 2)],
)
def test_formats(kind: str, rate_hz: int, channels: int) -> None:
    heard = audio.decode(tiny_media.sound(rate_hz=rate_hz, kind=kind, channels=channels))
    assert heard.rate_hz == rate_hz
    assert heard.seconds == pytest.approx(0.5, abs=0.08)
    assert heard.samples.dtype == np.float32
    assert heard.samples.ndim == 1
    at_rate = audio.at_rate(heard, 16_000)
    assert len(at_rate) == pytest.approx(heard.seconds * 16_000, abs=2)
    assert loudest_hertz(at_rate, 16_000) == pytest.approx(277, abs=60)


def loudest_hertz(samples: Any, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum)) * rate_hz / len(samples)


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("matroska", "aac"), ("adts", "aac")])
def test_what_soundfile_does_not_know_is_read_with_av(kind: str, codec: str) -> None:
    heard = audio.decode(coded(kind, codec))
    assert heard.rate_hz == 16_000
    assert heard.seconds == pytest.approx(1.0, abs=0.15)
    assert loudest_hertz(heard.samples, 16_000) == pytest.approx(440, abs=5)


def coded(kind: str, codec: str) -> bytes:
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=16_000, layout="mono")
        wave = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no sound that can be read"),
        (b"I am a text.", r"is no sound that can be read .*Give a WAV, FLAC, OGG"),
        (tiny_media.__doc__.encode() * 100, "is no sound that can be read"),  # type: ignore[union-attr]
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 200, "is no sound that can be read"),
        (b"\x1a\x45\xdf\xa3" + b"\x00" * 200, "is no sound that can be read"),
        (b"#EXTM3U\nhttp://127.0.0.1/secret.wav\n", "is no sound that can be read"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "is no sound that can be read"),
    ],
)
def test_what_is_no_sound(data: bytes, message: str) -> None:
    with pytest.raises(SoundNotReadable, match=message):
        audio.decode(data)


def test_every_cut_of_a_file_is_a_shorter_sound_or_a_clear_error() -> None:
    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        whole = tiny_media.sound(kind=kind)
        for length in range(0, len(whole), max(1, len(whole) // 40)):
            try:
                assert audio.decode(whole[:length]).seconds <= 0.6
            except SoundNotReadable as error:
                assert str(error).endswith((".", "file."))


def test_empty_silent_and_broken_samples() -> None:
    with pytest.raises(SoundNotReadable, match="is empty"):
        audio.decode(tiny_media.sound(seconds=0))
    assert not audio.from_numbers([0, 0, 0], 8000).samples.any()
    assert audio.from_numbers([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], 8000).samples.tolist() == [0.5, 0.5, 0.0]
    for values, rate_hz in (
        ([float("nan")], 8000),
        (["a"], 8000),
        ([[[1.0]]], 8000),
        ([0.1], "8000"),
        ([0.1], 5),
        ([], 8000),
        (None, 8000),
    ):
        with pytest.raises(SoundNotReadable):
            audio.from_numbers(values, rate_hz)


def test_a_long_sound_is_refused_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "LIMIT_SAMPLES", 5_000)
    for data in (tiny_media.sound(), tiny_media.sound(kind="FLAC"), coded("mp4", "aac")):
        with pytest.raises(SoundNotReadable, match="lasts longer than"):
            audio.decode(data)


def test_a_wav_file_holds_what_was_given() -> None:
    samples = np.stack([np.linspace(-1, 1, 100), np.full(100, np.nan), np.full(100, 7.0)])
    import soundfile

    read, rate_hz = soundfile.read(io.BytesIO(audio.encode(samples, 24_000)))
    assert (rate_hz, read.shape) == (24_000, (100, 3))
    assert np.allclose(read[:, 0], samples[0], atol=1e-3)
    assert not read[:, 1].any()
    assert np.allclose(read[:, 2], 1.0, atol=1e-3)


@pytest.mark.parametrize("module", ["soundfile", "soxr", "av"])
def test_a_missing_decoder_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    data = coded("mp4", "aac") if module == "av" else tiny_media.sound(rate_hz=8_000)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SoundNotReadable, match=f"pip install {module}"):
        audio.at_rate(audio.decode(data), 16_000)
