"""Draws misc/000000039769.jpg: two cats and two remote controls on a pink sofa, our own picture, the same every time.

Run it with `python misc/make_picture.py`; it needs Pillow alone.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFilter

SIZE = (640, 480)
SEED = 39769
_FINE = 3  # drawn three times as large, then reduced: smooth edges

Point = tuple[float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Pen:
    """Draws in its own coordinates: turned by `turn_deg`, scaled, mirrored, and placed at `origin` (pixels)."""

    draw: ImageDraw.ImageDraw
    origin: Point
    scale: float = 1.0
    turn_deg: float = 0.0
    mirror: bool = False

    def place(self, point: Point) -> Point:
        """Where `point` of these coordinates lies in the picture."""
        x, y = -point[0] if self.mirror else point[0], point[1]
        cos, sin = math.cos(math.radians(self.turn_deg)), math.sin(math.radians(self.turn_deg))
        return self.origin[0] + self.scale * (x * cos - y * sin), self.origin[1] + self.scale * (x * sin + y * cos)

    def moved(self, origin: Point) -> "Pen":
        """The same pen with its origin at the point `origin` of these coordinates."""
        return replace(self, origin=self.place(origin))

    def shape(self, points: Iterable[Point], colour: Colour) -> None:
        placed = [self.place(point) for point in points]
        self.draw.polygon([(_FINE * x, _FINE * y) for x, y in placed], fill=colour)

    def oval(self, centre: Point, radii: Point, colour: Colour, turn_deg: float = 0.0) -> None:
        cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
        around = [(radii[0] * math.cos(a), radii[1] * math.sin(a)) for a in _angles(60)]
        self.shape(((centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in around), colour)

    def stroke(self, points: list[Point], width: float, colour: Colour, end_width: float | None = None) -> None:
        """A soft line through `points` (a Bézier curve of any degree) that may grow thinner towards its end."""
        end = width if end_width is None else end_width
        for step in range(61):
            part = step / 60
            radius = (width + (end - width) * part) / 2
            self.oval(_bezier(points, part), (radius, radius), colour)

    def box(self, corner: Point, size: Point, radius: float, colour: Colour) -> None:
        """A rectangle with round corners."""
        (x, y), (w, h) = corner, size
        outline: list[Point] = []
        for cx, cy, start in ((x + w, y + h, 0), (x, y + h, 90), (x, y, 180), (x + w, y, 270)):
            inner = (cx - radius if cx > x else cx + radius, cy - radius if cy > y else cy + radius)
            for step in range(13):
                angle = math.radians(start + 7.5 * step)
                outline.append((inner[0] + radius * math.cos(angle), inner[1] + radius * math.sin(angle)))
        self.shape(outline, colour)


def _angles(count: int) -> Iterable[float]:
    return (2 * math.pi * step / count for step in range(count))


def _bezier(points: list[Point], part: float) -> Point:
    while len(points) > 1:
        points = [(a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part) for a, b in pairwise(points)]
    return points[0]


def _shade(colour: Colour, by: float) -> Colour:
    red, green, blue = (max(0, min(255, round(part * by))) for part in colour)
    return red, green, blue


def draw_sofa(pen: Pen, rng: Random) -> None:
    pink = (226, 106, 138)
    pen.box((-20, -20), (680, 520), 0, _shade(pink, 0.96))
    for left in (-40, 216, 472):  # the cushions of the back
        pen.box((left, -60), (250, 205), 34, _shade(pink, 0.80))
        pen.box((left + 5, -60), (240, 196), 32, _shade(pink, 1.05))
    pen.box((-20, 132), (680, 26), 12, _shade(pink, 0.74))  # where back and seat meet
    for _ in range(46):  # folds of the cloth
        x, y = rng.uniform(0, 640), rng.uniform(165, 480)
        bend, length = rng.uniform(-14, 14), rng.uniform(30, 90)
        pen.stroke(
            [(x, y), (x + length / 2, y + bend), (x + length, y)], 2.4, _shade(pink, rng.uniform(0.88, 1.04)), 0.6
        )


def draw_remote(pen: Pen, rng: Random) -> None:
    pen.box((-66, -17), (136, 40), 12, (150, 62, 88))  # its shadow
    pen.box((-68, -22), (136, 40), 12, (205, 205, 200))
    pen.box((-68, -22), (136, 36), 11, (238, 238, 232))
    pen.oval((-50, -4), (7, 7), (206, 58, 62))
    for column in range(6):
        for row in range(2):
            grey = rng.choice(((96, 104, 116), (120, 128, 140)))
            pen.box((-34 + 15 * column, -15 + 14 * row), (10, 9), 3, grey)


def draw_cat(pen: Pen, fur: Colour, rng: Random) -> None:
    """A tabby that sleeps on its side; about 250 wide and 230 high, its head at the top left."""
    dark, light = _shade(fur, 0.60), _shade(fur, 1.28)
    pen.oval((16, 48), (128, 84), (158, 66, 94), -8)  # its shadow on the seat
    pen.stroke([(104, 66), (180, 84), (150, 150), (56, 122), (20, 128)], 26, _shade(fur, 0.86), 15)
    for step in range(3, 10):
        x, y = _bezier([(104, 66), (180, 84), (150, 150), (56, 122), (20, 128)], step / 10)
        pen.oval((x, y), (4.5, 10), dark, 80 - 26 * step)
    pen.oval((20, 28), (122, 84), fur, -10)
    pen.oval((-6, 74), (84, 36), light, -14)  # the belly
    for place in range(9):  # the stripes of the back
        x = -44 + 19 * place
        top = -54 + 1.1 * abs(place - 4) ** 2 + rng.uniform(-3, 3)
        pen.stroke([(x, top), (x + 16, top + 28), (x + 8, top + 60 + rng.uniform(-8, 8))], 9, dark, 2)
    pen.oval((86, 60), (52, 44), _shade(fur, 0.94), -20)  # a hind leg
    for turn in (-14, 6, 26):
        pen.stroke([(72 + turn, 30), (86 + turn, 48), (80 + turn, 70)], 7, dark, 2)
    pen.stroke([(92, 92), (60, 110), (22, 106)], 28, fur, 22)
    for x, y in ((-60, 62), (-98, 52)):  # the front paws
        pen.stroke([(-40, 40), (x + 20, y), (x - 16, y + 36)], 30, fur, 24)
        pen.oval((x - 18, y + 38), (16, 13), light, 20)
    draw_head(pen.moved((-72, -34)), fur)


def draw_head(pen: Pen, fur: Colour) -> None:
    dark, light, skin = _shade(fur, 0.60), _shade(fur, 1.28), (232, 150, 150)
    for side in (-1, 1):
        pen.shape([(side * 54, -10), (side * 50, -68), (side * 12, -40)], _shade(fur, 0.86))
        pen.shape([(side * 46, -20), (side * 45, -54), (side * 20, -36)], skin)
    pen.oval((0, 0), (58, 49), fur)
    pen.oval((0, 22), (32, 23), light)
    for x, bottom in ((-15, -20), (0, -14), (15, -20)):
        pen.stroke([(x * 1.2, -45), (x, bottom)], 7, dark, 3)
    for side in (-1, 1):
        for drop in (0, 13):
            pen.stroke([(side * 56, -2 + drop), (side * 40, 4 + drop)], 6, dark, 2)
        pen.stroke([(side * 34, -4), (side * 23, 7), (side * 12, -4)], 4.6, (52, 40, 36))  # asleep
        for drop in (-5, 2, 9):
            pen.stroke([(side * 18, 20), (side * 66, 14 + 2 * drop)], 1.6, (250, 246, 240), 0.8)
    pen.shape([(-8, 11), (8, 11), (0, 20)], (206, 96, 104))
    for side in (-1, 1):
        pen.stroke([(0, 20), (side * 3, 32), (side * 14, 28)], 2.6, (92, 60, 56))


def make_picture(seed: int = SEED) -> Image.Image:
    rng = Random(seed)
    canvas = Image.new("RGB", (SIZE[0] * _FINE, SIZE[1] * _FINE))
    draw = ImageDraw.Draw(canvas)
    draw_sofa(Pen(draw, (0, 0)), rng)
    draw_remote(Pen(draw, (128, 106), turn_deg=-12), rng)
    draw_remote(Pen(draw, (358, 134), scale=0.72, turn_deg=74), rng)
    draw_cat(Pen(draw, (168, 282), scale=1.05, turn_deg=-4), (150, 126, 100), rng)
    draw_cat(Pen(draw, (478, 268), scale=1.08, turn_deg=6, mirror=True), (172, 138, 98), rng)
    small = canvas.resize(SIZE, Image.Resampling.LANCZOS)
    return small.filter(ImageFilter.GaussianBlur(0.4))


if __name__ == "__main__":
    make_picture().save(Path(__file__).with_name("000000039769.jpg"), quality=88, optimize=True)
