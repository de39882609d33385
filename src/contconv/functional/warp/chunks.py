"""Samples of an image at any places, some output pixels at a time."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from contconv._runtime.autograd import has_symbolic_sizes, has_values
from contconv._runtime.numberless import has_numbers
from contconv._runtime.shapes import Float
from contconv._runtime.text import times
from contconv.functional.warp.footprint import Footprints
from contconv.functional.warp.sampler import Sampler

# Numbers in the neighbors of a chunk, all channels together: 1 MiB in float32.
_CHUNK_ELEMENTS = 2**18

# Neighbors of all output pixels together: minutes, on one core.
_MAX_ELEMENTS = 2**31

# How many times as many pixels as the image a kernel may cover before that counts.
_REPEATS = 16


class Chunk(NamedTuple):
    """Some output pixels, and how many neighbors they have along each axis."""

    pixels: Tensor | slice
    counts: tuple[int, int]


def sampled(
    image: Float[Tensor, "m pixels"],
    sampler: Sampler,
    points: Float[Tensor, "p 2"],
    exist: Tensor,
    stretched: Footprints | None,
) -> Float[Tensor, "o p"]:
    """The samples of all channels; 0 where a place does not exist."""
    if not has_values(points):
        # What a kernel is stretched to is not known of shapes alone.
        known = stretched if has_symbolic_sizes() or has_numbers(points) else None
        counts = _counts(sampler, known, slice(None))
        out = sampler(image, points, stretched, counts)
    elif stretched is None:
        parts = _steps(len(points), None, sampler, sampler.counts, len(image))
        outs = [_part(image, sampler, points, None, part) for part in parts]
        out = outs[0] if len(outs) == 1 else torch.cat(outs, -1)
    else:
        out = _by_stretch(image, sampler, points, exist, stretched)
    return torch.where(exist, out, 0.0)


def _by_stretch(
    image: Float[Tensor, "m pixels"],
    sampler: Sampler,
    points: Float[Tensor, "p 2"],
    exist: Tensor,
    stretched: Footprints,
) -> Float[Tensor, "o p"]:
    """Of what can be seen, the pixels that are stretched alike together."""
    with torch.no_grad():
        seen = exist & sampler.reaches(points, stretched.reach)
    groups = list(_alike(stretched.reach, seen))
    _check_taps(stretched.reach, groups)
    outs = []
    for group in groups:
        counts = _counts(sampler, stretched, group)
        for part in _steps(len(group), group, sampler, counts, len(image)):
            outs.append(_part(image, sampler, points, stretched, part))
    if not outs:
        out = image.new_zeros(sampler.channels(len(image)), len(points))
        return out + image[:, :0].sum() + points[:0].sum()  # gradients of zeros
    out = torch.cat(outs, -1)
    return out.new_zeros(len(out), len(points)).index_copy(1, torch.cat(groups), out)


def _steps(
    size: int,
    group: Tensor | None,
    sampler: Sampler,
    counts: tuple[int, int],
    channels: int,
) -> Iterator[Chunk]:
    """Some pixels of a group, or of all, at a time."""
    step = max(1, _CHUNK_ELEMENTS // (counts[0] * counts[1] * sampler.width(channels)))
    for start in range(0, size, step):
        some = slice(start, start + step)
        yield Chunk(some if group is None else group[some], counts)


def _part(
    image: Tensor,
    sampler: Sampler,
    points: Tensor,
    stretched: Footprints | None,
    part: Chunk,
) -> Tensor:
    near, counts = points[part.pixels], part.counts
    if stretched is not None:
        stretched = Footprints(*(values[part.pixels] for values in stretched))
    learns = torch.is_grad_enabled() and any(
        one.requires_grad for one in (image, points, *sampler.kernel.parameters())
    )
    if not learns:
        return sampler(image, near, stretched, counts)
    # The neighbors are found again for the backward pass: kept, they would take as
    # many times the memory of the output as there are.
    return checkpoint(
        sampler,
        image,
        near,
        stretched,
        counts,
        use_reentrant=False,
        preserve_rng_state=False,
    )  # type: ignore


def _alike(reach: Float[Tensor, "p 2"], seen: Tensor) -> Iterator[Tensor]:
    """Output pixels that are stretched alike, to a factor of the square root of 2."""
    steps = (2 * reach.log2()).floor().long()
    code = steps[:, 0] * 256 + steps[:, 1]
    for value in code[seen].unique().tolist():
        yield ((code == value) & seen).nonzero()[:, 0]


def _counts(
    sampler: Sampler, stretched: Footprints | None, pixels: Tensor | slice
) -> tuple[int, int]:
    """How many neighbors the pixels have at most along each axis."""
    if stretched is None:
        return sampler.counts
    y, x = _taps(stretched.reach[pixels]).amax(0).tolist()
    return y, x


def _taps(reach: Tensor) -> Tensor:
    return (2 * reach).floor().long() + 1


def check_kernel(
    kernel_size: Sequence[int], in_shape: Sequence[int], size: Sequence[int]
) -> None:
    """Raise ValueError if a kernel covers absurdly many pixels, most outside."""
    if has_symbolic_sizes():
        return  # a comparison would tie the graph to some sizes
    taps = math.prod(kernel_size)
    if taps > _REPEATS * math.prod(in_shape) and taps * math.prod(size) > _MAX_ELEMENTS:
        raise ValueError(
            f"the kernel covers {times(kernel_size)} pixels for each of {times(size)}, "
            f"but the image has {times(in_shape)}; take a smaller one"
        )


def check_stretch(reach: Float[Tensor, "p 2"], seen: Tensor) -> None:
    """Raise ValueError if the stretched kernels cover absurdly many pixels."""
    if len(reach) * _taps(reach.amax(0)).prod() > _MAX_ELEMENTS:
        _check_taps(reach, list(_alike(reach, seen)))


def _check_taps(reach: Float[Tensor, "p 2"], groups: list[Tensor]) -> None:
    """The same, of output pixels that are stretched alike."""
    total = 0
    for group in groups:
        y, x = _taps(reach[group]).amax(0).tolist()
        total += y * x * len(group)
    if total <= _MAX_ELEMENTS:
        return
    y, x = _taps(reach[torch.cat(groups)]).amax(0).tolist()
    raise ValueError(
        f"with antialias, the kernels of this transform cover {total:.1e} pixels in "
        f"all, up to {y} x {x} each, so much does the transform shrink; at most "
        f"{_MAX_ELEMENTS:.1e} are summed: resize the input first, ask for a smaller "
        "size, or leave out antialias"
    )
