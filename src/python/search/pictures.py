"""Bytes to pictures: what is none says so, and what is an empty one too."""

import io
import struct
import warnings

from PIL import Image, ImageOps

from search.errors import CoverUnreadable

MOST_BYTES = 20_000_000
_MOST_PIXELS = 60_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# What Pillow's decoders raise for broken files, one or the other.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
)
_ONLY_A_HINT = 256  # bytes from which an error can tell what came instead of a picture


def decode(data: bytes) -> Image.Image:
    """The picture in `data`: RGB, upright, transparency on white. Raises `CoverUnreadable`."""
    try:
        picture = _opened(data)
        picture = ImageOps.exif_transpose(picture)
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            layer = picture.convert("RGBA")
            picture = Image.new("RGBA", layer.size, "white")
            picture.alpha_composite(layer)
        return picture.convert("RGB")
    except (Image.DecompressionBombError, *_BROKEN) as error:
        raise _no_picture(data, error) from error


def check(data: bytes) -> None:
    """Raise `CoverUnreadable` for what is no picture, or an empty one; only the picture's head is read."""
    try:
        _opened(data)
    except (Image.DecompressionBombError, *_BROKEN) as error:
        raise _no_picture(data, error) from error


def thumbnail(picture: Image.Image, most_pixels: int = 160) -> bytes:
    """A small JPEG, at most this wide and high."""
    small = picture.copy()
    small.thumbnail((most_pixels, most_pixels))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; the limit here is an error
        picture: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if picture.width * picture.height > _MOST_PIXELS:
        raise Image.DecompressionBombError(f"{picture.width:,} x {picture.height:,} pixels")
    if picture.width <= 1 or picture.height <= 1:
        raise CoverUnreadable("an empty picture of one pixel: Open Library has no cover there")
    return picture


def _no_picture(data: bytes, error: Exception) -> CoverUnreadable:
    if isinstance(error, CoverUnreadable):
        return error
    head = data[:_ONLY_A_HINT].lstrip().lower()
    if not data:
        return CoverUnreadable("an empty file")
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return CoverUnreadable("a page of HTML instead of a picture")
    return CoverUnreadable(f"no picture that can be read ({error})")
