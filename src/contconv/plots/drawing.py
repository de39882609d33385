"""Drawing: figures, heat maps and curves of kernels over the pixel grid."""

from typing import Any

import torch
from torch import Tensor


def as_figure(figure: Any, width: float, height: float) -> Any:
    """The figure as given, or a new one of that size in inches, outside of pyplot."""
    try:
        from matplotlib.figure import Figure, FigureBase
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(
            "contconv.plots needs matplotlib; pip install 'contconv[plots]'"
        ) from error
    if figure is None:
        return Figure(figsize=(width, height), layout="constrained")
    if not isinstance(figure, FigureBase):
        raise TypeError(
            "figure must be a matplotlib figure or subfigure, or None for a new one, "
            f"got {type(figure).__name__}"
        )
    return figure


def centres(width: int) -> Tensor:
    """The pixel centres of a centred window."""
    return torch.arange(width) - (width - 1) / 2


def _edges(width: int) -> list[float]:
    return [i - width / 2 for i in range(width + 1)]


def draw_maps(
    figure: Any,
    shape: tuple[int, int],
    kernel_size: tuple[int, int],
    titles: list[str],
    values: Tensor,
    limit: float,
) -> None:
    """Heat maps in rows and columns, with one colour bar; ``values [maps, y, x]``."""
    axes = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
    shown, unused = axes.flat[: len(titles)], axes.flat[len(titles) :]
    for ax in unused:
        ax.remove()
    for ax, title, weights in zip(shown, titles, values, strict=True):
        _draw_map(ax, kernel_size, weights, limit)
        ax.set_title(title, size=9)
    figure.colorbar(shown[0].images[0], ax=list(shown), label="weight", shrink=0.9)
    figure.supxlabel("distance along x, in pixels", size=9)
    figure.supylabel("distance along y, in pixels", size=9)


def _draw_map(
    ax: Any, kernel_size: tuple[int, int], weights: Tensor, limit: float
) -> None:
    bottom, right = (width / 2 for width in kernel_size)
    ax.imshow(
        weights.numpy(),
        extent=(-right, right, bottom, -bottom),
        interpolation="nearest",
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
    )
    grid = {"colors": "black", "linewidths": 0.5, "alpha": 0.4}
    rows, columns = (_edges(width) for width in kernel_size)
    ax.vlines(columns, -bottom, bottom, **grid)
    ax.hlines(rows, -right, right, **grid)
    y, x = torch.cartesian_prod(*(centres(width) for width in kernel_size)).T
    ax.plot(x.tolist(), y.tolist(), "k.", ms=2.5)
    ax.tick_params(labelsize=8, labelbottom=True)
    ax.locator_params(integer=True)


def draw_curves(
    figure: Any,
    width: int,
    titles: list[str],
    places: Tensor,
    values: Tensor,
    dots: Tensor,
    limit: float,
) -> None:
    """A curve for each of ``values [curves, places]``, its dots at pixel centres."""
    ax, height = figure.subplots(), 1.05 * limit
    ax.axhline(0, color="black", lw=0.8)
    ax.vlines(_edges(width), -height, height, color="0.8", lw=0.8)
    for title, weights, taps in zip(titles, values, dots, strict=True):
        (line,) = ax.plot(places.tolist(), weights.tolist(), label=title)
        style = {"ms": 4, "color": line.get_color()}
        ax.plot(centres(width).tolist(), taps.tolist(), "o", **style)
    ax.set(xlim=(-width / 2, width / 2), ylim=(-height, height))
    ax.set(xlabel="distance, in pixels", ylabel="weight")
    figure.legend(loc="outside right upper", fontsize=8)
