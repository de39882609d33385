"""warp: an image seen through a map."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from contconv._grid.padding import check_padding_mode
from contconv._runtime.arguments import check_dense
from contconv._runtime.autocast import no_autocast
from contconv._runtime.autograd import has_values
from contconv._runtime.memory import check_fits
from contconv._runtime.memory_format import like_layout
from contconv._runtime.shapes import Float, no_type_check
from contconv.functional.checks import as_kernel, check_input
from contconv.functional.warp.chunks import check_kernel, sampled
from contconv.functional.warp.footprint import footprints
from contconv.functional.warp.in_library import suits_library, warped_in_library
from contconv.functional.warp.sampler import Sampler
from contconv.functional.warp.transforms import as_maps, as_size, places_of
from contconv.kernels import ContinuousKernel
from contconv.kernels.names import classical_kernel


@no_type_check
def warp(
    input: Float[Tensor, "..."],
    kernel: ContinuousKernel | str,
    transform: Float[Tensor, "..."],
    *,
    size: int | Sequence[int] | None = None,
    padding_mode: str = "zeros",
    antialias: bool = False,
) -> Float[Tensor, "..."]:
    r"""Resample an image through an affine map, a homography or a flow field.

    .. math:: \mathrm{out}[o, n] = \sum_{c, m} \mathrm{input}[c, m] \, K(g(n) - m)[o, c]

    The transform g takes an output pixel to where it looks in the input, as the inverse
    map of OpenCV (``WARP_INVERSE_MAP``) does. All coordinates are (y, x) in pixels,
    with the first pixel's centre at 0. Gradients of first and second order flow to
    input, transform and kernel, but not through the choice of the pixels m.

    A kernel with a single input and output channel filters every channel alike, its
    weights divided by their sum, as in `resize`. Others weigh as in `continuous_conv`.

    With ``antialias``, the kernel is stretched where the transform shrinks. Around each
    output pixel, the transform takes the unit circle to an ellipse, by its Jacobian J
    (for a flow, from the differences of neighbors). Along the half axes of the ellipse
    that are longer than a pixel the kernel becomes so much wider:
    :math:`K(S^{-1} d) / \det S` with :math:`S = \sqrt{\max(J J^T, 1)}`. So a scale per
    axis does what `resize` does, a rotation leaves the kernel alone, and what is shrunk
    in one oblique direction is not blurred in the other. Towards the horizon of a
    homography, where J has no bound, S ends at the size of the input.

    Args:
        input: ``[n, c, h, w]``, or ``[c, h, w]`` without a batch.
        kernel: A kernel with 2 axes, or the name of a classical one, as in
            `continuous_conv`.
        transform: One for each image (``[n, ...]``) or for all:

            - ``[2, 3]``, an affine map: ``g = A @ (y, x, 1)``. `rotation` makes one.
            - ``[3, 3]``, a homography, where the first two of ``A @ (y, x, 1)`` are
              divided by the third. Only points where the third is positive are seen,
              the others lie behind the camera.
            - ``[h, w, 2]``, a flow: the displacement ``g - (y, x)`` of each output
              pixel, in input pixels. For positions, see ``points`` of
              `continuous_conv`.

            A matrix for (x, y) is turned into one for (y, x) by exchanging the first
            two rows, and the first two columns.
        size: Output pixels, for both axes or for each. Those of the input unless given;
            a flow says it by itself.
        padding_mode: What lies outside the input, as in `continuous_conv`.
        antialias: Stretch the kernel where the transform shrinks.

    Returns:
        ``[n, o, *size]``, or ``[o, *size]`` without a batch, in the memory format of
        the input. It is 0, and its gradients are, where a homography looks at infinity
        or behind the camera, or a flow is not finite, whatever the padding mode.

    Raises:
        TypeError: If input or transform are no floating-point tensors, or another
            argument is of a wrong type.
        ValueError: If shapes do not fit, a matrix is not finite, a name is unknown, the
            output cannot fit into memory, or the transform shrinks so much that
            ``antialias`` had to sum more than 2 thousand million pixels.

    Example:
        >>> photo = torch.rand(1, 3, 480, 640)
        >>> warp(photo, "lanczos3", rotation(10, (480, 640))).shape
        torch.Size([1, 3, 480, 640])
        >>> half = torch.tensor([[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]])
        >>> warp(photo, "cubic", half, size=(240, 320), antialias=True).shape
        torch.Size([1, 3, 240, 320])
    """
    kernel = _as_kernel(kernel, input)
    check_input(input, kernel, 1)
    check_padding_mode(padding_mode)
    batched = input.ndim == 4
    image = input if batched else input[None]
    maps = as_maps(transform, image)
    out_size = as_size(size, transform, image)
    _check_memory(image, kernel, out_size, maps)
    dtype = torch.promote_types(image.dtype, torch.float32)
    y, x = image.shape[2:]
    sampler = Sampler(kernel, (y, x), padding_mode, dtype, maps.dtype)
    with no_autocast(image.device.type):
        out = _warped(image, sampler, maps, out_size, antialias)
    out = like_layout(out.to(image.dtype), image)
    return out if batched else out[0]


def _warped(
    image: Float[Tensor, "n c h w"],
    sampler: Sampler,
    maps: Tensor,
    size: tuple[int, int],
    antialias: bool,
) -> Float[Tensor, "n o oh ow"]:
    if not len(image):
        out = image.new_zeros(0, sampler.channels(image.shape[1]), *size)
        learned = (image, maps, sampler.kernel.head, *sampler.kernel.parameters())
        return out + sum(one.sum().to(out) for one in learned)  # gradients of zeros
    if suits_library(image, sampler, antialias):
        own = partial(_by_operators, sampler=sampler, size=size, antialias=antialias)
        return warped_in_library(image, maps, size, sampler, antialias, own)
    return _by_operators(image, maps, sampler, size, antialias)


def _by_operators(
    image: Float[Tensor, "n c h w"],
    maps: Tensor,
    sampler: Sampler,
    size: tuple[int, int],
    antialias: bool,
) -> Float[Tensor, "n o oh ow"]:
    sampler.finite = has_values(image) and bool(image.detach().sum().isfinite())
    planes = image.flatten(2)
    if len(maps) == 1 and sampler.kernel.is_shared:
        # One map and one filter: the images are so many more channels.
        out = _one(planes.flatten(0, 1), sampler, maps[0], size, antialias)
        return out.view(*image.shape[:2], *size)
    each = zip(planes, maps.expand(len(planes), *maps.shape[1:]), strict=True)
    outs = [_one(plane, sampler, one, size, antialias) for plane, one in each]
    return torch.stack(outs).unflatten(2, size)


def _one(
    planes: Float[Tensor, "m pixels"],
    sampler: Sampler,
    given: Tensor,
    size: tuple[int, int],
    antialias: bool,
) -> Float[Tensor, "o p"]:
    """All samples through one map."""
    places = places_of(given, size, antialias)
    stretched = None
    if places.jacobian is not None:
        support, slack = sampler.kernel.kernel_size, sampler.slack
        longest = max(sampler.in_shape)
        stretched = footprints(places.jacobian, support, longest, slack)
    return sampled(planes, sampler, places.points, places.exist, stretched)


def _as_kernel(kernel: Any, input: Any) -> ContinuousKernel:
    if isinstance(kernel, str) and isinstance(input, Tensor):
        check_dense(input, "input")
        return classical_kernel(kernel, 2)
    found = as_kernel(kernel, input)
    if found.ndim != 2:
        raise ValueError(
            f"warp needs a kernel with 2 axes, got one with {found.ndim}; for other "
            "positions use continuous_conv with points"
        )
    return found


def _check_memory(
    image: Tensor, kernel: ContinuousKernel, size: tuple[int, int], maps: Tensor
) -> None:
    channels = image.shape[1] if kernel.is_shared else kernel.head.shape[0]
    shape = (len(image), channels, *size)
    check_kernel(kernel.kernel_size, image.shape[2:], size)
    # Positions, the choice of them, and the ways in which kernels are stretched.
    extra = size[0] * size[1] * 16 * maps.element_size()
    check_fits(shape, image.element_size(), extra, image.device)
