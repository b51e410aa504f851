"""Pictures: read safely, drawn on, encoded, and turned into JSON's words."""

import base64
import io
import json
import struct
import zlib
from enum import Enum
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image, ImageDraw, ImageStat

import tiny_models
from inference import drawing, images
from inference.answer import json_safe
from inference.errors import ImageNotReadable

SIZE = (200, 120)


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"])
def test_formats(kind: str) -> None:
    image = images.decode(encoded(Image.new("RGB", SIZE, (200, 30, 60)), kind))
    assert (image.mode, image.size) == ("RGB", SIZE)
    assert all(abs(seen - meant) < 12 for seen, meant in zip(image.getpixel((9, 9)), (200, 30, 60), strict=True))


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_modes(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert images.decode(encoded(Image.new(mode, SIZE), kind)).mode == "RGB"


def test_transparency_is_white_and_upright_is_up() -> None:
    assert images.decode(encoded(Image.new("RGBA", SIZE, (0, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert images.decode(encoded(Image.new("RGB", SIZE), "JPEG", exif=exif)).size == SIZE[::-1]


def bomb(width: int, height: int) -> bytes:
    """A small PNG file that says it is a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 9999))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no picture that can be read"),
        (b"GIF89a", "no picture that can be read"),
        (b"<html>not found</html>", "no picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
        (tiny_models.PICTURE.read_bytes()[:2000], "no picture that can be read"),
        (bomb(50_000, 50_000), r"too large to be opened .*at most 60,000,000 pixels"),
        (bomb(9_000, 9_000), r"too large to be opened \(9,000 x 9,000 pixels\)"),
    ],
)
def test_what_is_no_picture(data: bytes, message: str) -> None:
    with pytest.raises(ImageNotReadable, match=message):
        images.decode(data)


def test_a_data_uri(tmp_path: Path) -> None:
    data = base64.b64encode(encoded(Image.new("RGB", SIZE), "PNG")).decode()
    assert images.read(f"data:image/png;base64,{data}").size == SIZE


def found(label: str, xmin: int, ymin: int, xmax: int, ymax: int, score: float = 0.987) -> dict[str, Any]:
    return {"label": label, "score": score, "box": {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}}


def test_boxes_are_drawn_where_things_are_in_one_colour_per_label() -> None:
    grey = Image.new("RGB", (640, 480), (128, 128, 128))
    drawn = drawing.boxes(grey, [found("cat", 100, 100, 200, 200), found("dog", 300, 300, 400, 400)])
    assert drawn.size == grey.size
    assert drawn.getpixel((150, 198)) == drawing.PALETTE[0]
    assert drawn.getpixel((350, 398)) == drawing.PALETTE[1]
    assert drawn.getpixel((150, 150)) == (128, 128, 128), "what is inside a box stays as it is"
    assert grey.getpixel((150, 198)) == (128, 128, 128), "the picture that was given is not changed"


@pytest.mark.parametrize(
    "box", [(-50, -50, 5000, 5000), (200, 200, 100, 100), (639, 479, 639, 479), (0, 0, 0, 0), (630, 1, 640, 3)]
)
def test_boxes_outside_or_upside_down(box: tuple[int, int, int, int]) -> None:
    assert drawing.boxes(Image.new("RGB", (640, 480)), [found("cat" * 30, *box)]).size == (640, 480)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((64, 32), (480, 240)), ((640, 480), (640, 480)), ((4000, 1000), (1600, 400)), ((1, 1), (480, 480))],
)
def test_the_sheet_has_a_size_at_which_tags_can_be_read(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert drawing.boxes(Image.new("RGB", size), [found("cat", 0, 0, *size)]).size == expected


def test_masks_are_tinted_with_a_legend_below() -> None:
    grey = Image.new("RGB", (640, 480), (128, 128, 128))
    segments = []
    for number, label in enumerate(("cat", "sofa")):
        mask = Image.new("L", grey.size)
        ImageDraw.Draw(mask).rectangle((300 * number, 0, 300 * number + 200, 480), fill=255)
        segments.append({"label": label, "score": None if number else 0.9, "mask": mask})
    drawn = drawing.masks(grey, segments)
    assert drawn.width == 640
    assert drawn.height > 490
    for x, colour in ((100, drawing.PALETTE[0]), (400, drawing.PALETTE[1])):
        tinted = drawn.getpixel((x, 240))
        assert sum(abs(one - other) for one, other in zip(tinted, colour, strict=True)) < 300
        assert tinted != (128, 128, 128)
    assert drawn.getpixel((250, 240)) == (128, 128, 128)
    assert drawing.masks(grey, []).size == grey.size


def test_many_segments_find_room_in_the_legend() -> None:
    segment = {"label": "a thing with a long name", "score": 0.5, "mask": Image.new("L", (320, 200), 255)}
    drawn = drawing.masks(Image.new("RGB", (320, 200)), [segment] * 30)
    legend = drawn.crop((0, drawn.height - 40, drawn.width, drawn.height))
    assert (
        ImageStat.Stat(legend.convert("L")).extrema[0] == (22, 255) or ImageStat.Stat(legend.convert("L")).stddev[0] > 5
    )


def test_png_out() -> None:
    picture = images.encode(Image.new("RGB", SIZE), "nothing")
    assert (picture.media_type, picture.width, picture.height, picture.title) == ("image/png", *SIZE, "nothing")
    assert images.decode(picture.data).size == SIZE
    assert "data" not in repr(picture)


class Colour(Enum):
    RED = "red"


def test_everything_a_pipeline_returns_becomes_json() -> None:
    pictures: list[Any] = []
    value = {
        1: numpy.float32(0.5),
        "ints": numpy.arange(3),
        "tensor": torch.tensor([[1, 2]]),
        "half": torch.tensor([0.5], dtype=torch.bfloat16),
        "nested": ({"mask": Image.new("L", (2, 2))}, Colour.RED),
        "nan": [float("nan"), numpy.float64("inf")],
        "flags": numpy.array([True]),
        "none": None,
    }
    safe = json_safe(value, lambda image: pictures.append(image) or {"picture": 0})
    assert json.loads(json.dumps(safe, allow_nan=False)) == {
        "1": 0.5,
        "ints": [0, 1, 2],
        "tensor": [[1, 2]],
        "half": [0.5],
        "nested": [{"mask": {"picture": 0}}, "red"],
        "nan": [None, None],
        "flags": [True],
        "none": None,
    }
    assert len(pictures) == 1
    with pytest.raises(TypeError, match="object has no JSON form"):
        json_safe(object(), pictures.append)
