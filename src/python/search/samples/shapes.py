"""Covers of shapes and colours, and captions that say what is on them."""

import io
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
COLOURS = {
    "red": (214, 40, 40),
    "green": (44, 160, 44),
    "blue": (31, 90, 200),
    "yellow": (245, 205, 40),
    "purple": (130, 60, 170),
    "orange": (245, 130, 30),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
}
SIZES = {"small": 0.26, "large": 0.4}
WIDTH, HEIGHT = 120, 180


@dataclass(frozen=True)
class Scene:
    """A shape in a colour and a size, before a background of another colour."""

    shape: str
    colour: str
    background: str
    size: str

    @property
    def caption(self) -> str:
        """All that is to be seen, in words."""
        return f"a {self.size} {self.colour} {self.shape} on a {self.background} background"


def scenes(shapes: Sequence[str] = SHAPES, colours: Sequence[str] = tuple(COLOURS)) -> list[Scene]:
    """Every scene that can be made of these."""
    made = itertools.product(shapes, colours, colours, SIZES)
    return [Scene(*parts) for parts in made if parts[1] != parts[2]]


def words(scene: Scene, draw: random.Random) -> str:
    """What a person may say of a scene: more of it or less."""
    size = draw.choice((f"{scene.size} ", "", ""))
    said = f"a {size}{scene.colour} {scene.shape}"
    behind = draw.choice((f" on a {scene.background} background", "", ""))
    return said + behind


def picture(scene: Scene, draw: random.Random, width: int = WIDTH) -> Image.Image:
    """A cover, never twice the same: the shape is moved, turned and resized a little, and the colours vary."""
    height = width * HEIGHT // WIDTH
    image = Image.new("RGB", (width * 2, height * 2), _near(COLOURS[scene.background], draw))
    radius = SIZES[scene.size] * image.width * draw.uniform(0.9, 1.1)
    centre = image.width * draw.uniform(0.46, 0.54), image.height * draw.uniform(0.46, 0.54)
    _draw(ImageDraw.Draw(image), scene, centre, radius, draw.uniform(-0.15, 0.15), _near(COLOURS[scene.colour], draw))
    return image.resize((width, height), Image.Resampling.BILINEAR)


def jpeg(scene: Scene, draw: random.Random, scale: float = 1.0) -> bytes:
    """A cover as a file."""
    image = picture(scene, draw)
    if scale != 1.0:
        image = image.resize((round(WIDTH * scale), round(HEIGHT * scale)), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _draw(
    canvas: ImageDraw.ImageDraw,
    scene: Scene,
    centre: tuple[float, float],
    radius: float,
    turn: float,
    colour: tuple[int, int, int],
) -> None:
    x, y = centre
    box = (x - radius, y - radius, x + radius, y + radius)
    if scene.shape == "circle":
        canvas.ellipse(box, fill=colour)
    elif scene.shape == "ring":
        canvas.ellipse(box, outline=colour, width=round(radius * 0.35))
    elif scene.shape == "cross":
        arm = radius * 0.3
        for wide, high in ((radius, arm), (arm, radius)):
            canvas.rectangle((x - wide, y - high, x + wide, y + high), fill=colour)
    else:
        corners, inner = {"square": (4, 1.0), "triangle": (3, 1.0), "star": (5, 0.42)}[scene.shape]
        first = turn - math.pi / 2 + (math.pi / 4 if scene.shape == "square" else 0)
        points = []
        for number in range(corners * (1 if inner == 1.0 else 2)):
            far = radius * (inner if inner != 1.0 and number % 2 else 1.0)
            angle = first + number * 2 * math.pi / (corners * (1 if inner == 1.0 else 2))
            points.append((x + far * math.cos(angle), y + far * math.sin(angle)))
        canvas.polygon(points, fill=colour)


def _near(colour: tuple[int, int, int], draw: random.Random) -> tuple[int, int, int]:
    red, green, blue = (max(0, min(255, round(part + draw.uniform(-14, 14)))) for part in colour)
    return red, green, blue
