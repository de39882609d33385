"""plot_grid: the projected grid, and the fields of view of output pixels."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from contconv._grid.axis import Axis
from contconv._grid.grid import resized_axes
from contconv._grid.ratio import Scale, Size
from contconv._runtime.arguments import as_sizes
from contconv._runtime.shapes import no_type_check
from contconv.plots.drawing import as_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

_INPUT, _OUTPUT, _SUPPORT = "0.45", "tab:orange", "tab:blue"

# Distances with longer fractions are written as decimals.
_LARGEST_DENOMINATOR = 99


@no_type_check
def plot_grid(
    in_size: Size,
    size: Size | None = None,
    *,
    scale: Scale | None = None,
    kernel_size: int | Sequence[int] = 3,
    antialias: bool = False,
    pixel: Sequence[int] | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Draw the projected grid: output pixels in the input's coordinates (Figure 4).

    Crosses are the output pixels at their positions :math:`g_n` of Eq. 2; dashed lines
    are the edges of their cells. The box is the support of one of them, with a line to
    each input pixel in it; those exactly on the edge, which count half, are open
    circles. The ticks above and to the right are the distances :math:`g_n - m` at which
    the kernel is evaluated, exact.

    Args:
        in_size: Pixels of the input, ``(height, width)`` or one for both.
        size: Pixels of the output. As in `continuous_conv`, without a scale it sets the
            scale.
        scale: Output over input pixels, for both axes or for each.
        kernel_size: Width of the kernel's support, for both axes or for each.
        antialias: Whether the support is stretched where an axis shrinks.
        pixel: The output pixel ``(row, column)`` whose support is drawn; the middle one
            unless given.
        figure: Where to draw: a figure or subfigure; a new figure unless given.

    Returns:
        The figure that was drawn in; `plot_kernel` says how to show it.

    Raises:
        ImportError: If matplotlib is missing.
        TypeError: If an argument is of a wrong type.
        ValueError: If neither size nor scale is given, or a number is out of range.

    Example:
        >>> figure = plot_grid(4, (3, 6), kernel_size=4)
        >>> figure.savefig("grid.png")  # doctest: +SKIP
    """
    if size is None and scale is None:
        raise ValueError("plot_grid needs a size or a scale")
    axes = resized_axes(
        as_sizes(in_size, 2, "in_size"),
        as_sizes(kernel_size, 2, "kernel_size"),
        scale,
        size,
        antialias,
    )
    row, column = _as_pixel(pixel, axes)
    y, x = axes
    drawing = as_figure(figure, 6, 6)
    ax = drawing.subplots()
    _draw_input(ax, y, x)
    _draw_output(ax, y, x)
    _draw_support(ax, y, x, row, column)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.locator_params(integer=True)
    ax.set_xlabel("input pixels along x", size=9)
    ax.set_ylabel("input pixels along y", size=9)
    drawing.legend(loc="outside lower center", ncols=2, fontsize=8)
    return drawing.figure


def _as_pixel(pixel: Any, axes: Sequence[Axis]) -> tuple[int, int]:
    sizes = [axis.out_size for axis in axes]
    if pixel is None:
        return sizes[0] // 2, sizes[1] // 2
    if (
        not isinstance(pixel, Sequence)
        or len(pixel) != 2
        or any(n not in range(size) for n, size in zip(pixel, sizes, strict=True))
    ):
        raise ValueError(
            f"pixel must be (row, column), up to ({sizes[0] - 1}, {sizes[1] - 1}) in "
            f"this output, got {pixel!r}"
        )
    return pixel[0], pixel[1]


def _position(axis: Axis, n: int) -> Fraction:
    return Fraction(axis.position(n), axis.unit)


def _distances(axis: Axis, n: int) -> dict[int, Fraction]:
    """Every input pixel in the support of output pixel ``n``, and how far it is."""
    first, half = axis.first_neighbor(n), Fraction(axis.reach, axis.unit)
    found = {m: _position(axis, n) - m for m in range(first, first + axis.taps)}
    return {m: distance for m, distance in found.items() if abs(distance) <= half}


def _cells(axis: Axis) -> list[float]:
    """The edges of the output pixels, in input pixels."""
    step = Fraction(axis.down, axis.up)
    start = _position(axis, 0) - step / 2
    return [float(start + n * step) for n in range(axis.out_size + 1)]


def _draw_input(ax: Any, y: Axis, x: Axis) -> None:
    columns = [m - 0.5 for m in range(x.in_size + 1)]
    rows = [m - 0.5 for m in range(y.in_size + 1)]
    ax.vlines(columns, rows[0], rows[-1], color="0.7", lw=1, zorder=0)
    ax.hlines(rows, columns[0], columns[-1], color="0.7", lw=1, zorder=0)
    places = [(m_x, m_y) for m_y in range(y.in_size) for m_x in range(x.in_size)]
    label = f"input, {y.in_size} x {x.in_size}"
    ax.plot(*zip(*places, strict=True), "o", color=_INPUT, ms=6, label=label)


def _draw_output(ax: Any, y: Axis, x: Axis) -> None:
    columns, rows = _cells(x), _cells(y)
    dashed = {"color": _OUTPUT, "lw": 0.8, "ls": (0, (4, 3)), "zorder": 1}
    ax.vlines(columns, rows[0], rows[-1], **dashed)
    ax.hlines(rows, columns[0], columns[-1], **dashed)
    places = [
        (float(_position(x, n_x)), float(_position(y, n_y)))
        for n_y in range(y.out_size)
        for n_x in range(x.out_size)
    ]
    label = f"output, {y.out_size} x {x.out_size}"
    style = {"color": _OUTPUT, "ms": 8, "mew": 2, "zorder": 4}
    ax.plot(*zip(*places, strict=True), "x", label=label, **style)


def _draw_support(ax: Any, y: Axis, x: Axis, row: int, column: int) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    near_y, near_x = _distances(y, row), _distances(x, column)
    half_y, half_x = Fraction(y.reach, y.unit), Fraction(x.reach, x.unit)
    g_y, g_x = float(_position(y, row)), float(_position(x, column))
    corner = (g_x - float(half_x), g_y - float(half_y))
    sides = (2 * float(half_x), 2 * float(half_y))
    box = {"facecolor": (*_rgb(_SUPPORT), 0.08), "edgecolor": _SUPPORT, "lw": 1.5}
    label = f"support of output pixel ({row}, {column})"
    ax.add_patch(Rectangle(corner, *sides, label=label, zorder=2, **box))
    whole: list[tuple[int, int]] = []
    edge: list[tuple[int, int]] = []
    for m_y, d_y in near_y.items():
        for m_x, d_x in near_x.items():
            tie = abs(d_y) == half_y or abs(d_x) == half_x
            (edge if tie else whole).append((m_x, m_y))
    lines = [((g_x, g_y), place) for place in whole + edge]
    ax.add_collection(LineCollection(lines, colors=_SUPPORT, lw=0.6, zorder=2))
    ax.plot(g_x, g_y, "x", color=_OUTPUT, ms=13, mew=3, zorder=5)
    style = {"ls": "", "marker": "o", "ms": 7, "mec": _SUPPORT, "zorder": 3}
    if whole:
        label = "its neighbors"
        ax.plot(*zip(*whole, strict=True), mfc=_SUPPORT, label=label, **style)
    if edge:
        label = "on the edge: count half"
        ax.plot(*zip(*edge, strict=True), mfc="white", label=label, **style)
    _label_distances(ax.secondary_xaxis("top"), near_x, "distance along x")
    _label_distances(ax.secondary_yaxis("right"), near_y, "distance along y")


def _label_distances(side: Any, distances: dict[int, Fraction], title: str) -> None:
    labels = [_written(distance) for distance in distances.values()]
    axis = side.xaxis if side.xaxis.get_label_position() == "top" else side.yaxis
    axis.set_ticks(list(distances), labels, size=8, color=_SUPPORT)
    axis.set_label_text(title, size=9, color=_SUPPORT)


def _written(distance: Fraction) -> str:
    if distance.denominator > _LARGEST_DENOMINATOR:
        return f"{float(distance):.3f}"
    return str(distance)


def _rgb(color: str) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(color)
