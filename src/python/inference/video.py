"""Films in: looked into safely, and handed to the pipeline as bytes, never as an address."""

import io
from dataclasses import dataclass, field

from inference import source
from inference.errors import FilmNotReadable

LIMIT_BYTES = 100_000_000
LIMIT_PIXELS = 8_300_000
"""Of one of a film's pictures: 3840 x 2160."""

LIMIT_PIXELS_AT_ONCE = 250_000_000
"""Of all pictures that a model looks at in one film: 750 MB in memory."""

_CURE = "Give an MP4, MOV, WebM, MKV, AVI, OGV, FLV, GIF or MPEG file"


class _Bytes(io.BytesIO):
    """A film in memory. The pipeline asks it whether it is a web address before it opens it: it is none."""

    def startswith(self, _: str) -> bool:
        return False


@dataclass(frozen=True)
class Film:
    """A film that was looked into; `frames` is None where only decoding it all would tell."""

    data: bytes = field(repr=False)
    width: int
    height: int
    frames: int | None

    def opened(self) -> io.BytesIO:
        """What the video-classification pipeline reads."""
        return _Bytes(self.data)


def read(reference: str, *, timeout_s: float = source.TIMEOUT_S) -> Film:
    """The film that an address, a path or a data URI stands for.

    Raises what `source.read` raises, and `FilmNotReadable`.
    """
    return decode(source.read(reference, timeout_s=timeout_s, limit_bytes=LIMIT_BYTES), what=source.short(reference))


def decode(data: bytes, what: str = "The film") -> Film:
    """The film in `data`; its first picture is decoded, so that what cannot be is refused here.

    Raises `FilmNotReadable`.
    """
    if not _is_film(data[:400]):
        raise FilmNotReadable(f"{what} is no film that can be read (its beginning is that of none). {_CURE}.")
    try:
        import av
    except ModuleNotFoundError as error:
        raise FilmNotReadable("Films are read with the package av. Install it: pip install av.") from error
    try:
        with av.open(io.BytesIO(data), mode="r") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:  # no pictures, or coded in a way that av does not know
                raise FilmNotReadable(f"{what} holds no pictures that can be read. {_CURE}.")
            width, height = stream.codec_context.width, stream.codec_context.height
            if width * height > LIMIT_PIXELS:
                raise FilmNotReadable(
                    f"{what} is too large ({width:,} x {height:,}). Give a film of at most 3840 x 2160 pixels."
                )
            frames = stream.frames or None
            if next(container.decode(video=0), None) is None:
                raise FilmNotReadable(f"{what} holds no pictures. {_CURE}.")
            return Film(data, width, height, frames)
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        if isinstance(error, FilmNotReadable):
            raise
        raise FilmNotReadable(f"{what} is no film that can be read ({error}). {_CURE}.") from error


def check_frames(film: Film, wanted: int, every: int) -> None:
    """Refuse a film that is too short for `wanted` pictures, every `every`-th of it, or too large for so many."""
    last = (wanted - 1) * every + (every if wanted > 1 else 1)  # where the pipeline's own sampling ends
    if film.frames is not None and film.frames < last:
        raise FilmNotReadable(
            f"The film has {film.frames} pictures and the model looks at {wanted}, every {every} pictures, so at "
            f"{last}. Give a longer film, or a smaller frame_sampling_rate."
        )
    if wanted * film.width * film.height > LIMIT_PIXELS_AT_ONCE:
        raise FilmNotReadable(
            f"{wanted} pictures of {film.width} x {film.height} are too many at once. Lower num_frames, or give a "
            "smaller film."
        )


def _is_film(head: bytes) -> bool:
    """By its first bytes, so that FFmpeg is never asked to open a format that names other files (a playlist)."""
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
        or head[:4] in (b"\x1a\x45\xdf\xa3", b"OggS", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
        or head[:3] in (b"GIF", b"FLV")
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or (head[:1] == b"\x47" and head[188:189] == b"\x47")
    )
