"""Makes misc/bell.wav (a bell, struck once) and misc/square.mp4 (a square that wanders), both our own.

Run it with `python misc/make_sound_and_film.py`; it needs NumPy, and av for the film.
"""

import wave
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RATE_HZ = 16_000
SECONDS = 1.0
FRAMES, WIDTH, HEIGHT, FRAMES_PER_S = 48, 128, 96, 24

# A bell's partials: share of the strike tone, loudness, and how fast each fades (per second).
_STRIKE_HZ = 440.0
_PARTIALS = ((0.5, 0.5, 1.5), (1.0, 1.0, 3.0), (1.2, 0.6, 4.0), (1.5, 0.4, 5.0), (2.0, 0.7, 6.0), (2.7, 0.3, 9.0))


def make_sound(file: Path) -> None:
    at_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    tones = [
        loud * np.exp(-fades * at_s) * np.sin(2 * np.pi * share * _STRIKE_HZ * at_s) for share, loud, fades in _PARTIALS
    ]
    samples = np.sum(tones, axis=0)
    whole = (samples / np.abs(samples).max() * 0.8 * 32767).astype("<i2")
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(whole.tobytes())


def make_film(file: Path) -> None:
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=FRAMES_PER_S)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            picture = np.full((HEIGHT, WIDTH, 3), (70, 80, 95), dtype=np.uint8)
            left = 8 + 2 * number
            top = 32 + round(20 * np.sin(number / 6))
            picture[top : top + 24, left : left + 24] = (230, 160, 0)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


if __name__ == "__main__":
    make_sound(HERE / "bell.wav")
    make_film(HERE / "square.mp4")
