"""Films: looked into safely, and refused where they are too short or too large for a model."""

import pytest

import tiny_media
from inference import video
from inference.errors import FilmNotReadable


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("mp4", "mpeg4"),
        ("mov", "mpeg4"),
        ("matroska", "mpeg4"),
        ("avi", "mpeg4"),
        ("mpegts", "mpeg2video"),
        ("flv", "flv1"),
    ],
)
def test_formats(kind: str, codec: str) -> None:
    film = video.decode(tiny_media.film(kind=kind, codec=codec))
    assert (film.width, film.height) == (64, 48)
    assert film.frames in (12, None)


def test_the_pipeline_takes_a_film_for_a_file_and_not_for_an_address() -> None:
    opened = video.decode(tiny_media.film()).opened()
    assert not opened.startswith("http://")  # type: ignore[attr-defined]
    assert opened.read(8)[4:] == b"ftyp"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"I am a text.",
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/secret.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<?xml version='1.0'?><MPD></MPD>",
        b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 500,
        b"\x1a\x45\xdf\xa3" + b"\xff" * 500,
        tiny_media.sound(),
    ],
)
def test_what_is_no_film(data: bytes) -> None:
    with pytest.raises(FilmNotReadable, match=r"Give an MP4"):
        video.decode(data)


def test_every_cut_of_a_film_is_a_film_or_a_clear_error() -> None:
    whole = tiny_media.film(kind="matroska")
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        try:
            video.decode(whole[:length])
        except FilmNotReadable as error:
            assert "Give an MP4" in str(error)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    film = video.decode(tiny_media.film())
    video.check_frames(film, 8, 1)
    video.check_frames(film, 6, 2)
    with pytest.raises(FilmNotReadable, match=r"has 12 pictures and the model looks at 16.*Give a longer film"):
        video.check_frames(film, 16, 1)
    with pytest.raises(FilmNotReadable, match=r"smaller frame_sampling_rate"):
        video.check_frames(film, 8, 2)
    monkeypatch.setattr(video, "LIMIT_PIXELS_AT_ONCE", 64 * 48 * 7)
    with pytest.raises(FilmNotReadable, match=r"too many at once\. Lower num_frames"):
        video.check_frames(film, 8, 1)
    monkeypatch.setattr(video, "LIMIT_PIXELS", 64 * 47)
    with pytest.raises(FilmNotReadable, match=r"is too large \(64 x 48\)"):
        video.decode(tiny_media.film())
