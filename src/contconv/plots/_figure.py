"""The figure that is drawn in: the caller's, or one that nothing else knows of."""

from typing import Any


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
