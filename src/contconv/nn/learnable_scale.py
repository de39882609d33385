"""LearnableScale: a scale that is a parameter."""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from contconv._grid.grid import points_of
from contconv._grid.placement import Placement, Placements
from contconv._grid.ratio import Scale, as_ratio, as_ratios
from contconv._runtime.autograd import clamped
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float, no_type_check

# More than any kernel is stretched in earnest.
_MOST_STRETCH = 256


class LearnableScale(nn.Module):
    r"""A scale that a layer learns, along with its kernel.

    .. math:: g_n = \frac{1}{s} \left(n - \frac{\mathrm{out} - 1}{2}\right) +
        \frac{\mathrm{in} - 1}{2}

    The positions of Eq. 2 depend on the scale :math:`s`, and the weights on them; so
    the gradient goes by way of the distances. The number of output pixels is the
    layer's ``size``, or ``ceil(s * in)``, which has no gradient. The logarithm of the
    scale is what is learned: halving and doubling are as far.

    With ``antialias=True`` the layer's kernel is as wide as the scale wants, and the
    gradient knows how: features of a scale that is too low are blurred, and not merely
    far apart.

    A kernel that is zero at the edge of its support, as ``"spline"`` is, suits it best:
    where another's pixels come and go, its output jumps, of which no gradient knows.

    Args:
        initial: Output over input pixels at the beginning: one number, which all axes
            will share, or one for each.
        least: The scale is kept at this, at least.
        most: The scale is kept at this, at most.
        device: Where the parameter lives.
        dtype: The dtype of the parameter.

    Raises:
        TypeError: If ``initial`` is no number.
        ValueError: If it does not lie between ``least`` and ``most``.

    Example:
        >>> from contconv import ContinuousConv2d
        >>> layer = ContinuousConv2d(3, 8, 3, scale=LearnableScale((0.5, 0.5)))
        >>> layer(torch.rand(1, 3, 20, 30)).shape
        torch.Size([1, 8, 10, 15])
        >>> layer(torch.rand(1, 3, 20, 30)).sum().backward()
        >>> layer.learnable_scale.log.grad.shape
        torch.Size([2])
    """

    @no_type_check
    def __init__(
        self,
        initial: Scale,
        *,
        least: float = 1 / 16,
        most: float = 16.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        count = len(initial) if isinstance(initial, Sequence) else 1
        values = [ratio.up / ratio.down for ratio in as_ratios(initial, count)]
        if not (0 < least < math.inf and 0 < most < math.inf) or not all(
            least <= value <= most for value in values
        ):
            raise ValueError(
                "initial must lie between least and most, which must be positive, got "
                f"{initial} for {least} to {most}"
            )
        self.least, self.most, self.initial = least, most, tuple(values)
        self.log = nn.Parameter(torch.empty(count, device=device, dtype=dtype))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Go back to the scale of the beginning."""
        for log, value in zip(self.log, self.initial, strict=True):
            log.fill_(math.log(value))

    def forward(self) -> Float[Tensor, " axes"]:
        """The scale: one number, or one for each axis; in float32 or wider."""
        log = self.log.to(torch.promote_types(self.log.dtype, torch.float32))
        kept = log.clamp(math.log(self.least), math.log(self.most))
        # Beyond the bounds the gradient goes on: it is what brings the scale back.
        return (log + (kept - log).detach()).exp()

    def ratios(self, axes: int) -> tuple[Fraction, ...]:
        """The scale for each axis, as `ContinuousConv2d` takes a float.

        Raises:
            ValueError: If it has no value: on the meta device.
        """
        if not has_numbers(self.log):
            raise ValueError(
                f"the learnable scale has no value on {self.log.device}; move it to "
                "a device with to_empty, and load its value or call reset_parameters"
            )
        values = self.per_axis(axes).detach().tolist()
        return tuple(Fraction(*as_ratio(value)) for value in values)

    def points(
        self,
        in_shape: Sequence[int],
        size: Sequence[int] | None,
        placements: Placements | None = None,
    ) -> Float[Tensor, "*out axes"]:
        """Where the output pixels fall, for an image of this shape.

        Args:
            in_shape: Input pixels, for each axis.
            size: Output pixels, for each axis; as many as the scale gives unless given.
            placements: How the grid lies, unless it is centred.
        """
        return points_of(axis_positions(self, in_shape, size, placements))

    def stretch(self, in_shape: Sequence[int]) -> Float[Tensor, " axes"]:
        """How many times as wide antialias makes the kernel, for each axis.

        Raises:
            ValueError: If that is far more than an image of this shape has pixels.
        """
        stretch = clamped(1 / self.per_axis(len(in_shape)), 1)
        pairs = zip(stretch.detach().tolist(), in_shape, strict=True)
        for i, (times, size) in enumerate(pairs):
            if times > max(_MOST_STRETCH, 8 * size):
                raise ValueError(
                    f"antialias stretches the kernel by {times:.3g} along axis {i}, "
                    f"which has {size} pixels; raise the least scale, or leave out "
                    "antialias"
                )
        return stretch

    def per_axis(self, axes: int) -> Float[Tensor, " axes"]:
        """The scale once for each axis, or ValueError if it is for others."""
        scale = self()
        if len(scale) not in (1, axes):
            raise ValueError(
                f"initial must be one number or one for each of the {axes} axes, got "
                f"{len(scale)}"
            )
        return scale.expand(axes)

    def extra_repr(self) -> str:
        """The scale, as `repr` shows it."""
        if not has_numbers(self.log):
            return ""
        return ", ".join(f"{value:.4g}" for value in self().tolist())


def axis_positions(
    learned: LearnableScale,
    in_shape: Sequence[int],
    size: Sequence[int] | None,
    placements: Placements | None = None,
) -> tuple[Float[Tensor, " _"], ...]:
    """Where the output pixels fall along each axis, as `LearnableScale.points` says."""
    axes = len(in_shape)
    if placements is None:
        placements = (Placement(),) * axes
    if size is None:
        triples = zip(placements, in_shape, learned.ratios(axes), strict=True)
        size = [p.size(pixels, *s.as_integer_ratio()) for p, pixels, s in triples]
    scales = learned.per_axis(axes)
    return tuple(
        _positions(scales[i], in_shape[i], size[i], placements[i]) for i in range(axes)
    )


def _positions(scale: Tensor, in_size: int, out_size: int, where: Placement) -> Tensor:
    """Eq. 2 for one axis, or the grid that is counted from the first pixel."""
    n = torch.arange(out_size, dtype=scale.dtype, device=scale.device)
    if where.pixels is None:
        return (n - (out_size - 1) / 2) / scale + (in_size - 1) / 2
    return (n + where.outputs / 2) / scale + where.pixels / 2
