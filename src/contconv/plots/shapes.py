"""plot_shapes: the sizes that feature maps take on their way through a network."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor, nn

from contconv._grid.ratio import Scale, as_ratios
from contconv._runtime.shapes import no_type_check
from contconv.nn.layer import ContinuousConv
from contconv.nn.observe import Call, observed
from contconv.nn.scales import continuous_layers, using_scales
from contconv.plots.drawing import as_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

# In units of the largest side: the distance of boxes, and how thin they get at most.
_STEP = 1.5
_LEAST_SIDE = 0.03

_OURS, _OTHER = "tab:blue", "0.75"


class Step(NamedTuple):
    """One continuous layer at work: its name, its scale, and the sizes around it."""

    name: str
    scale: str
    before: tuple[int, ...]
    after: tuple[int, ...]


class Box(NamedTuple):
    """A feature map: its pixels, and what made it."""

    size: tuple[int, ...]
    name: str
    scale: str
    color: str


@no_type_check
def plot_shapes(
    model: nn.Module,
    input: Tensor,
    *,
    sequences: Sequence[Sequence[Scale] | None] | None = None,
    figure: "Figure | SubFigure | None" = None,
) -> "Figure":
    """Draw the feature maps before and after the continuous layers of a network.

    A row of boxes for each scale sequence, to scale, in the order in which the layers
    run. Over each arrow stands the scale of its layer; a dotted arrow stands for other
    layers that change the size, such as pooling. The network runs once per row, in
    evaluation mode and without gradients, and is left as it was.

    Args:
        model: Any network with continuous layers.
        input: What the network takes, with a batch or not.
        sequences: For each row, a scale for each continuous layer, as `using_scales`
            takes it; None for the network's own scales. One row with those unless
            given.
        figure: Where to draw: a figure or subfigure; a new figure unless given.

    Returns:
        The figure that was drawn in; `plot_kernel` says how to show it.

    Raises:
        ImportError: If matplotlib is missing.
        TypeError: If an argument is of a wrong type.
        ValueError: If no continuous layer runs, or a sequence does not fit the network.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(
        ...     ContinuousConv2d(3, 8, 3, scale=0.5),
        ...     ContinuousConv2d(8, 8, 3, scale=0.5, size=8),
        ... )
        >>> image = torch.rand(1, 3, 32, 32)
        >>> figure = plot_shapes(model, image, sequences=[None, [0.8, 0.31]])
        >>> figure.savefig("shapes.png")  # doctest: +SKIP
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    given = [None] if sequences is None else list(sequences)
    if not given:
        raise ValueError("sequences must hold at least one, None for the network's own")
    rows = [_boxes(_steps(model, input, sequence)) for sequence in given]
    drawing = as_figure(figure, 1.3 * max(map(len, rows)), 1.6 * len(rows))
    axes = drawing.subplots(len(rows), 1, sharex=True, squeeze=False)
    largest = max(max(_sides(box)) for row in rows for box in row)
    for ax, row in zip(axes.flat, rows, strict=True):
        _draw_row(ax, row, largest)
    return drawing.figure


def _steps(
    model: nn.Module, input: Tensor, sequence: Sequence[Scale] | None
) -> list[Step]:
    """Run the network at these scales, and note what its continuous layers did."""
    scales = nullcontext() if sequence is None else using_scales(model, sequence)
    with scales:
        calls = observed(model, input, continuous_layers(model))
        if not calls:
            raise ValueError("model must run a continuous layer, but it has run none")
        return [_step(call) for call in calls]


def _step(call: Call) -> Step:
    layer = call.module
    assert isinstance(layer, ContinuousConv) and call.before and call.after
    before, after = (shape[-layer.ndim :] for shape in (call.before, call.after))
    return Step(call.name, _scale_of(layer, call.arguments), before, after)


def _scale_of(layer: ContinuousConv, given: dict[str, Any]) -> str:
    """The scale of a call, as it is written over the arrow; empty if a size sets it."""
    if given.get("points") is not None:
        return "points"
    scale, size = given.get("scale"), given.get("size")
    if scale is None and size is None:
        scale, size = layer.scale, layer.size
    if scale is None:
        return "" if size is not None else "1"
    values = [f"{up / down:.3g}" for up, down in as_ratios(scale, layer.ndim)]
    if len(set(values)) == 1:
        return values[0]
    axes = "zyx"[-layer.ndim :]
    return "\n".join(f"{a} {value}" for a, value in zip(axes, values, strict=True))


def _boxes(steps: list[Step]) -> list[Box]:
    """The feature maps in order; what others than continuous layers made, too."""
    boxes = [Box(steps[0].before, "input", "", _OTHER)]
    for step in steps:
        if step.before != boxes[-1].size:
            boxes.append(Box(step.before, "other layers", "", _OTHER))
        boxes.append(Box(step.after, step.name, step.scale, _OURS))
    return boxes


def _sides(box: Box) -> tuple[int, int]:
    """Width and height; a line is one pixel high, of a volume the last two count."""
    height, width = (1, *box.size)[-2:]
    return width, height


def _draw_row(ax: Any, boxes: list[Box], largest: int) -> None:
    from matplotlib.patches import Rectangle

    end = 0.0
    for i, box in enumerate(boxes):
        width, height = (max(side / largest, _LEAST_SIDE) for side in _sides(box))
        middle = _STEP * i
        corner = (middle - width / 2, -height / 2)
        ax.add_patch(Rectangle(corner, width, height, fc=box.color, ec="black"))
        written = " x ".join(map(str, box.size))
        ax.text(middle, -0.58, written, size=8, ha="center", va="top")
        ax.text(middle, 0.58, box.name, size=7, color="0.4", ha="center", va="bottom")
        if i:
            _draw_arrow(ax, end, corner[0], box)
        end = corner[0] + width
    ax.set(xlim=(-0.7, _STEP * len(boxes) - 0.8), ylim=(-0.9, 0.85), aspect="equal")
    ax.axis("off")


def _draw_arrow(ax: Any, start: float, end: float, box: Box) -> None:
    style = {"arrowstyle": "->", "color": "black", "ls": "-"}
    if box.color == _OTHER:
        style["ls"] = ":"
    tips = {"xytext": (start + 0.04, 0), "xy": (end - 0.04, 0)}
    ax.annotate("", **tips, arrowprops=style)
    middle = (start + end) / 2
    ax.text(middle, 0.05, box.scale, size=8, ha="center", va="bottom")
