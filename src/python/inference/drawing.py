"""What a model saw, drawn on the picture: boxes with labels, masks with a legend, depth, matching keypoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

# Okabe and Ito's palette, told apart by colour-blind people too; in an order that puts strong contrasts first.
PALETTE: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
_LONGEST_SIDE = 1600
_SHORTEST_LONG_SIDE = 480
_GAP_PX = 8
_MATCHES_DRAWN = 200
_DARK, _WHITE = (22, 24, 29), (255, 255, 255)


@dataclass(frozen=True)
class _Sheet:
    """A copy of the picture in a size at which labels can be read; `scale` is its share of the original's."""

    image: "Image.Image"
    scale: float
    text_px: int

    @property
    def line_px(self) -> int:
        return max(2, self.text_px // 6)


def boxes(picture: "Image.Image", detections: Sequence[Mapping[str, Any]]) -> "Image.Image":
    """The picture with a box and a tag for every detection.

    A detection has `label`, `score` and `box` (`xmin`, `ymin`, `xmax`, `ymax` in pixels of the picture), as the
    object-detection pipelines give them.
    """
    from PIL import ImageDraw

    sheet = _sheet(picture, crowded=len(detections) > 12)
    draw = ImageDraw.Draw(sheet.image)
    colours = _by_label(detections)
    placed = [_corners(found["box"], sheet.scale) for found in detections]
    for found, corners in sorted(zip(detections, placed, strict=True), key=lambda pair: -_area(pair[1])):
        draw.rectangle(corners, outline=_DARK, width=sheet.line_px + 2)
        draw.rectangle(_inset(corners, 1), outline=colours[found["label"]], width=sheet.line_px)
    taken: list[Box] = []
    for found, corners in zip(detections, placed, strict=True):
        _tag(draw, sheet, corners, _caption(found), colours[found["label"]], taken)
    return sheet.image


def masks(picture: "Image.Image", segments: Sequence[Mapping[str, Any]]) -> "Image.Image":
    """The picture with every segment tinted and outlined, and a legend below.

    A segment has `label`, `score` (may be None) and `mask` (a PIL image of the picture's size, white where the
    segment is), as the image-segmentation pipeline gives them.
    """
    from PIL import Image, ImageChops, ImageFilter

    sheet = _sheet(picture)
    grey = sheet.image.convert("L").convert("RGB")
    colours = [_shade(number) for number in range(len(segments))]
    for segment, colour in zip(segments, colours, strict=True):
        mask = segment["mask"].convert("L").resize(sheet.image.size, Image.Resampling.BILINEAR)
        mask = mask.point(lambda value: 255 if value > 127 else 0)
        edge = ImageChops.subtract(mask, mask.filter(ImageFilter.MinFilter(2 * (sheet.line_px // 2) + 1)))
        tint = Image.new("RGB", sheet.image.size, colour)
        sheet.image.paste(Image.blend(grey, tint, 0.6), mask=mask)  # on grey, so that the tint is the legend's colour
        sheet.image.paste(tint, mask=edge)
    return _with_legend(sheet, [(_caption(part), colour) for part, colour in zip(segments, colours, strict=True)])


def _sheet(picture: "Image.Image", crowded: bool = False) -> _Sheet:
    from PIL import Image

    longest = max(picture.size)
    scale = min(1.0, _LONGEST_SIDE / longest) if longest > _SHORTEST_LONG_SIDE else _SHORTEST_LONG_SIDE / longest
    size = (max(1, round(scale * picture.width)), max(1, round(scale * picture.height)))
    image = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    return _Sheet(image, scale, text_px=max(13, round(max(size) / (64 if crowded else 44))))


def _font(size_px: int) -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size=size_px)


def _caption(found: Mapping[str, Any]) -> str:
    score = found.get("score")
    label = str(found["label"])
    label = label if len(label) <= 40 else f"{label[:39]}…"
    return label if score is None else f"{label} {int(100 * float(score))}%"  # cut, not rounded: 100 means certain


def _by_label(detections: Sequence[Mapping[str, Any]]) -> dict[str, Colour]:
    labels = dict.fromkeys(found["label"] for found in detections)
    return {label: _shade(number) for number, label in enumerate(labels)}


def _shade(number: int) -> Colour:
    """The palette in turn; every further round is paler."""
    turn, place = divmod(number, len(PALETTE))
    paler = 1 - 0.55 ** min(turn, 3)
    red, green, blue = (round(part + (255 - part) * paler) for part in PALETTE[place])
    return red, green, blue


def _ink(background: Colour) -> Colour:
    """Dark or white, whichever stands out more (contrast as WCAG 2 defines it)."""
    light = _luminance(background) + 0.05
    return _DARK if light / (_luminance(_DARK) + 0.05) > 1.05 / light else _WHITE


def _luminance(colour: Colour) -> float:
    linear = [part / 255 / 12.92 if part < 11 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _corners(box: Mapping[str, float], scale: float) -> Box:
    """Left, top, right, bottom in pixels of the sheet, in order even where the model gave them out of order."""
    across, down = sorted((box["xmin"], box["xmax"])), sorted((box["ymin"], box["ymax"]))
    return round(scale * across[0]), round(scale * down[0]), round(scale * across[1]), round(scale * down[1])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _inset(box: Box, by: int) -> Box:
    left, top, right, bottom = box
    return min(left + by, right), min(top + by, bottom), max(right - by, left), max(bottom - by, top)


def _tag(
    draw: "ImageDraw.ImageDraw",
    sheet: _Sheet,
    box: Box,
    text: str,
    colour: Colour,
    taken: list[Box],
) -> None:
    """Write `text` at a box's corner: above it where there is room, moved down while it would cover another tag."""
    font, pad = _font(sheet.text_px), sheet.text_px // 3
    width = round(draw.textlength(text, font=font)) + 2 * pad
    height = round(sheet.text_px * 1.25) + pad
    left = max(0, min(box[0], sheet.image.width - width))
    top = box[1] - height if box[1] >= height else box[1]
    top = max(0, min(top, sheet.image.height - height))
    while any(_overlap((left, top, left + width, top + height), other) for other in taken):
        if top + 2 * height > sheet.image.height:
            break
        top += height
    taken.append((left, top, left + width, top + height))
    draw.rounded_rectangle((left, top, left + width, top + height - 1), radius=pad, fill=colour, outline=_DARK)
    draw.text((left + pad, top + height / 2), text, fill=_ink(colour), font=font, anchor="lm")


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _with_legend(sheet: _Sheet, entries: Sequence[tuple[str, Colour]]) -> "Image.Image":
    from PIL import Image, ImageDraw

    font, pad = _font(sheet.text_px), sheet.text_px // 2
    swatch, line = sheet.text_px, round(1.7 * sheet.text_px)
    measure = ImageDraw.Draw(sheet.image)
    places: list[tuple[int, int]] = []
    x, y = pad, pad
    for text, _ in entries:
        width = swatch + pad + round(measure.textlength(text, font=font)) + 2 * pad
        if x > pad and x + width > sheet.image.width:
            x, y = pad, y + line
        places.append((x, y))
        x += width
    if not entries:
        return sheet.image
    canvas = Image.new("RGB", (sheet.image.width, sheet.image.height + y + line), _WHITE)
    canvas.paste(sheet.image)
    draw = ImageDraw.Draw(canvas)
    for (text, colour), (x, y) in zip(entries, places, strict=True):
        y += sheet.image.height
        draw.rounded_rectangle((x, y, x + swatch, y + swatch), radius=swatch // 4, fill=colour, outline=_DARK)
        draw.text((x + swatch + pad, y + swatch / 2), text, fill=_DARK, font=font, anchor="lm")
    return canvas


def depth(picture: "Image.Image", far: "Image.Image") -> "Image.Image":
    """The picture beside its depth in colours, dark blue for 0 to yellow for 255 (in grey the same order)."""
    from PIL import Image, ImageOps

    sheet = _sheet(picture)
    grey = far.convert("L").resize(sheet.image.size, Image.Resampling.BILINEAR)
    coloured = ImageOps.colorize(grey, black=(0, 20, 80), mid=(190, 70, 110), white=(255, 235, 120))
    return _side_by_side(sheet.image, coloured)


def matches(first: "Image.Image", second: "Image.Image", found: Sequence[Mapping[str, Any]]) -> "Image.Image":
    """Two pictures side by side, with a line from each keypoint of the first to the one it matches in the second.

    A match has `keypoint_image_0`, `keypoint_image_1` (`x`, `y` in pixels of their picture) and `score`, as the
    keypoint-matching pipeline gives them; the best 200 are drawn.
    """
    from PIL import ImageDraw

    left, right = _sheet(first), _sheet(second)
    sheet = _side_by_side(left.image, right.image)
    draw = ImageDraw.Draw(sheet)
    radius = left.line_px + 1
    for number, match in enumerate(found[:_MATCHES_DRAWN]):
        start = _point(match["keypoint_image_0"], left.scale, 0)
        end = _point(match["keypoint_image_1"], right.scale, left.image.width + _GAP_PX)
        colour = PALETTE[number % len(PALETTE)]
        draw.line((start, end), fill=_DARK, width=left.line_px + 2)
        draw.line((start, end), fill=colour, width=left.line_px)
        for x, y in (start, end):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=_DARK)
    return sheet


def _point(keypoint: Mapping[str, float], scale: float, shift: int) -> tuple[int, int]:
    return round(scale * keypoint["x"]) + shift, round(scale * keypoint["y"])


def _side_by_side(left: "Image.Image", right: "Image.Image") -> "Image.Image":
    from PIL import Image

    sheet = Image.new("RGB", (left.width + _GAP_PX + right.width, max(left.height, right.height)), _WHITE)
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + _GAP_PX, 0))
    return sheet
