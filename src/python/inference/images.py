"""Pictures in and out: opened safely from any reference, encoded as PNG."""

import io
import struct
import warnings
from typing import TYPE_CHECKING

from inference import source
from inference.answer import Picture
from inference.errors import ImageNotReadable

if TYPE_CHECKING:
    from PIL import Image

LIMIT_PIXELS = 60_000_000
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
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")


def read(reference: str, *, timeout_s: float = source.TIMEOUT_S) -> "Image.Image":
    """The picture that an address, a path or a data URI stands for: RGB, upright, transparency on white.

    Raises what `source.read` raises, and `ImageNotReadable`.
    """
    return decode(source.read(reference, timeout_s=timeout_s), what=reference)


def decode(data: bytes, what: str = "The picture") -> "Image.Image":
    """The picture in `data`, as `read` gives it; `what` names it in errors. Raises `ImageNotReadable`."""
    from PIL import Image, ImageOps

    name = what if len(what) <= 120 else f"{what[:100]}..."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures; the limit here is an error
        try:
            picture: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
            if picture.width * picture.height > LIMIT_PIXELS:
                raise Image.DecompressionBombError(f"{picture.width:,} x {picture.height:,} pixels")
            picture = ImageOps.exif_transpose(picture)
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                layer = picture.convert("RGBA")
                picture = Image.new("RGBA", layer.size, "white")
                picture.alpha_composite(layer)
            return picture.convert("RGB")
        except Image.DecompressionBombError as error:
            raise ImageNotReadable(
                f"{name} is too large to be opened ({error}). Give one of at most {LIMIT_PIXELS:,} pixels."
            ) from error
        except _BROKEN as error:
            raise ImageNotReadable(
                f"{name} is no picture that can be read ({error}). Give a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file."
            ) from error


def encode(image: "Image.Image", title: str = "") -> Picture:
    """`image` as a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=image.mode in ("1", "L"))
    return Picture("image/png", buffer.getvalue(), image.width, image.height, title)
