"""The drawing of the page "On the CPU"."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

INK, IMAGE, RING, TILE, HEAD = "#222222", "#9db8d6", "#f2c879", "#e08f62", "#a7c796"


def write_native(folder: Path) -> None:
    """Draw input rows, the ring, the tile in the cache, the head, and the output."""
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(0, 96), ylim=(0, 36))
    axes.set_aspect("equal")
    axes.axis("off")
    _rows(axes, 1, 6, 18, range(12), IMAGE, used=range(4, 7))
    _label(axes, 10, 33, "input rows\nin memory")
    _arrow(axes, 19.5, 19, 27.5, 19, "along x")
    _rows(axes, 28, 12, 14, range(5), RING, used=range(1, 4))
    _label(axes, 35, 33, "a ring of rows,\nresampled along x")
    _arrow(axes, 42.5, 19, 51.5, 19, "along y")
    axes.add_patch(Rectangle((52, 14), 10, 10, facecolor=TILE, edgecolor=INK))
    _label(axes, 57, 19, "Z\n42 x 576")
    _label(axes, 57, 33, "42 pixels, in the\nsecond cache: 97 kB")
    axes.add_patch(Rectangle((66, 14), 4, 10, facecolor=HEAD, edgecolor=INK))
    _label(axes, 64, 19, "x")
    _label(axes, 68, 10, "packed head")
    _arrow(axes, 70.5, 19, 77.5, 19, "")
    _rows(axes, 78, 9, 16, range(8), IMAGE, used=range(4, 5))
    _label(axes, 86, 33, "output rows\nin memory")
    _label(axes, 48, 2.5, "one thread, going down its band of output rows")
    figure.savefig(folder / "native.png", dpi=150)


def _rows(
    axes: Axes, x: float, y: float, width: float, rows: range, color: str, used: range
) -> None:
    for row in rows:
        face = color if row in used else "white"
        place = (x, y + 2 * (len(rows) - 1 - row))
        axes.add_patch(
            Rectangle(place, width, 2, facecolor=face, edgecolor=INK, lw=0.6)
        )


def _arrow(axes: Axes, x: float, y: float, to_x: float, to_y: float, text: str) -> None:
    arrow = FancyArrowPatch((x, y), (to_x, to_y), arrowstyle="->", mutation_scale=14)
    axes.add_patch(arrow)
    _label(axes, (x + to_x) / 2, y + 2, text)


def _label(axes: Axes, x: float, y: float, text: str) -> None:
    axes.text(x, y, text, ha="center", va="center", color=INK, fontsize=9)
