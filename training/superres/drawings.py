"""Text and line art to learn from and to test on, drawn here, anti-aliased."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from training.errors import DataError
from training.superres.photographs import Photographs

SIDE = 512
# A page is drawn so many times as large, and its pixels are means: anti-aliasing.
_OVER = 4

# All come with matplotlib. Those of the test are of another design than the others.
LEARNED = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono"),
    *("DejaVuSansMono-Bold", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"),
)
TESTED = ("STIXGeneral", "STIXGeneralItalic", "cmss10")

_TEXT = (
    "the of and to in is that for it as was with be by on not he his but at are this "
    "have from or had an they which one you were all her she there would their we him "
    "Figure Table 1999 2026 3.14159 (x, y) km/h 42% [12] Berlin Quay Jazz Wolf Oxygen "
    "photograph kernel scale pixel 0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ fjord & co."
)

Color: TypeAlias = tuple[int, int, int]


def drawings(count: int, *, seed: int = 0, held_out: bool = False) -> Photographs:
    """Pages of text, charts, diagrams and outlines.

    Args:
        count: How many.
        seed: Decides what is on them; those held out have others than the same seed's.
        held_out: Whether they are for a test: in other fonts.

    Raises:
        DataError: If matplotlib is not installed, with whose fonts text is drawn.
    """
    names = TESTED if held_out else LEARNED
    fonts = [folder() / f"{name}.ttf" for name in names]
    pages = (
        _Page(random.Random(f"{seed} {held_out} {i}"), fonts) for i in range(count)
    )
    return Photographs(tuple(page.pixels() for page in pages))


def folder() -> Path:
    """Where matplotlib's fonts lie."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise DataError(
            "text is drawn with matplotlib's fonts, and it is not installed: pip "
            "install matplotlib, or set drawn to 0"
        ) from None
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


class _Page:
    """One drawing.

    Args:
        draw: Decides all.
        fonts: Files of the fonts.
    """

    def __init__(self, draw: random.Random, fonts: Sequence[Path]) -> None:
        self.draw, self.fonts = draw, fonts
        self.paper, self.ink = self._two_colors()
        self.image = Image.new("RGB", (SIDE * _OVER, SIDE * _OVER), self.paper)
        self.canvas = ImageDraw.Draw(self.image)

    def pixels(self) -> torch.Tensor:
        """``[3, side, side]``, uint8."""
        kinds: tuple[Callable[[], None], ...]
        kinds = (self._text, self._text, self._chart, self._diagram, self._outlines)
        self.draw.choice(kinds)()
        if self.draw.random() < 0.5:
            self._some_of(self.draw.choice(kinds[1:]))
        array = np.asarray(self.image, dtype=np.uint16)
        tiles = array.reshape(SIDE, _OVER, SIDE, _OVER, 3)
        means = (tiles.sum((1, 3)) + _OVER**2 // 2) // _OVER**2
        return torch.from_numpy(means.astype(np.uint8)).permute(2, 0, 1).contiguous()

    def _two_colors(self) -> tuple[Color, Color]:
        """Of paper and ink: black on white, or light and dark, either way round."""
        draw = self.draw
        if draw.random() < 0.5:
            return (255, 255, 255), (0, 0, 0)
        light = tuple(draw.randint(170, 255) for _ in range(3))
        dark = tuple(draw.randint(0, 110) for _ in range(3))
        return (light, dark) if draw.random() < 0.7 else (dark, light)  # type: ignore

    def _color(self) -> Color:
        draw = self.draw
        if draw.random() < 0.6:
            return self.ink
        return tuple(draw.randint(0, 255) for _ in range(3))  # type: ignore

    def _font(self, low: int, high: int) -> ImageFont.FreeTypeFont:
        """In a size that small ones have more often."""
        size = low * (high / low) ** self.draw.random()
        return ImageFont.truetype(str(self.draw.choice(self.fonts)), size * _OVER)

    def _width(self) -> int:
        """Of a line: whole pixels or not."""
        draw = self.draw
        if draw.random() < 0.5:
            return _OVER * draw.choice((1, 1, 1, 2, 3))
        return draw.randint(3, 5 * _OVER)

    def _place(self) -> tuple[int, int]:
        """On the grid of pixels, or between."""
        step = _OVER if self.draw.random() < 0.5 else 1
        x, y = (self.draw.randrange(0, SIDE * _OVER, step) for _ in range(2))
        return x, y

    def _words(self, least: int, most: int) -> str:
        return " ".join(
            self.draw.choices(_TEXT.split(), k=self.draw.randint(least, most))
        )

    def _text(self) -> None:
        """Paragraphs, each in a font."""
        top = self.draw.randint(0, 20 * _OVER)
        while top < SIDE * _OVER:
            font, color = self._font(8, 42), self._color()
            step = int(font.size * self.draw.uniform(1.1, 1.6))
            for _ in range(self.draw.randint(1, 6)):
                left = self.draw.randint(-10, 16) * _OVER
                self.canvas.text((left, top), self._words(8, 24), color, font)
                top += step
            top += self.draw.randint(0, 2 * step)

    def _chart(self) -> None:
        """Axes, ticks, grid, curves and bars, with labels."""
        draw, canvas, full = self.draw, self.canvas, SIDE * _OVER
        left, bottom = full // 8, full - full // 8
        step = draw.randint(16, 64) * _OVER
        for at in range(left, full, step):
            canvas.line((at, 0, at, bottom), self._color(), _OVER)
            canvas.line((left, at - left, full, at - left), self._color(), _OVER)
            canvas.text(
                (at, bottom), f"{draw.random():.1f}", self.ink, self._font(8, 14)
            )
        for _ in range(draw.randint(2, 6)):
            points, y = [], draw.uniform(0, bottom)
            for x in range(left, full, 8 * _OVER):
                y = min(bottom, max(0, y + draw.gauss(0, 10 * _OVER)))
                points.append((x, y))
            canvas.line(points, self._color(), self._width(), joint="curve")
        for i in range(draw.randint(0, 12)):
            x = left + i * step
            corner = (x, draw.uniform(0, bottom), x + step // 2, bottom)
            canvas.rectangle(corner, self._color(), self.ink, _OVER)

    def _diagram(self) -> None:
        """Boxes with words in them, and lines between."""
        for _ in range(self.draw.randint(6, 24)):
            (x, y), (z, w) = self._place(), self._place()
            self.canvas.line((x, y, z, w), self._color(), self._width())
            font = self._font(9, 26)
            words = self._words(1, 3)
            box = self.canvas.textbbox((x, y), words, font)
            margin = self.draw.randint(2, 10) * _OVER
            edges = (box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)
            fill = self.draw.choice((self.paper, self._color()))
            self.canvas.rectangle(edges, fill, self.ink, self._width())
            self.canvas.text((x, y), words, self._color(), font)

    def _outlines(self) -> None:
        """Circles, arcs, polygons and fans of lines, some filled."""
        canvas = self.canvas
        for _ in range(self.draw.randint(10, 40)):
            (x, y), (z, w), width = self._place(), self._place(), self._width()
            radius = self.draw.randint(3, 120) * _OVER
            around = (x - radius, y - radius, x + radius, y + radius)
            shape = self.draw.randrange(5)
            if shape == 0:
                canvas.line((x, y, z, w), self._color(), width)
            elif shape == 1:
                fill = self.draw.choice((None, self._color()))
                canvas.ellipse(around, fill, self.ink, width)
            elif shape == 2:
                start = self.draw.uniform(0, 360)
                canvas.arc(around, start, start + 140, self._color(), width)
            elif shape == 3:
                sides = self.draw.randint(3, 8)
                turn = self.draw.uniform(0, 360)
                canvas.regular_polygon((x, y, radius), sides, turn, self._color())
            else:
                for i in range(self.draw.randint(4, 20)):
                    end = (z, w + i * 2 * width)
                    canvas.line(((x, y), end), self.ink, width)

    def _some_of(self, kind: Callable[[], None]) -> None:
        """A part of another page over this one."""
        other = Image.new("RGB", self.image.size, self.paper)
        mine, self.image = self.image, other
        self.canvas = ImageDraw.Draw(other)
        kind()
        (left, top), side = self._place(), SIDE * _OVER // 2
        mine.paste(other.crop((0, 0, side, side)), (left, top))
        self.image = mine
