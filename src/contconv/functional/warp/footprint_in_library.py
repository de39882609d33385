"""Warps with footprints by the library of contconv-native."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from contconv._runtime.shapes import Float
from contconv.functional.warp.chunks import check_stretch
from contconv.functional.warp.footprint import footprints
from contconv.functional.warp.sampler import Sampler
from contconv.functional.warp.transforms import places_of


class Given(NamedTuple):
    """What the library takes of one map, ``[h, w, ...]``."""

    points: Float[Tensor, "h w 2"]  # NaN where nothing is seen
    reach: Float[Tensor, "h w 2"]
    inverse: Float[Tensor, "h w 2 2"]


def stretched_in_library(
    image: Float[Tensor, "maps m h w"],
    maps: Tensor,
    size: tuple[int, int],
    sampler: Sampler,
    options: tuple[Any, ...],
) -> Float[Tensor, "maps m oh ow"]:
    """The image through its maps, the kernel stretched where they shrink."""
    operator = torch.ops.contconv_native.footprint
    pairs = zip(image, maps, strict=True)
    outs = [operator(one, *_given(map, size, sampler), *options) for one, map in pairs]
    return outs[0][None] if len(outs) == 1 else torch.stack(outs)


def stretched_gradients(
    gradient: Float[Tensor, "maps m oh ow"],
    image: Float[Tensor, "maps m h w"],
    maps: Tensor,
    sampler: Sampler,
    options: tuple[Any, ...],
    for_image: bool,
    for_maps: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of image and maps."""
    library = torch.ops.contconv_native
    of_image, of_maps = [], []
    for grad, planes, map in zip(gradient, image, maps, strict=True):
        size = grad.shape[1], grad.shape[2]
        own = map.detach().requires_grad_()
        with torch.set_grad_enabled(for_maps):
            given = _given(own, size, sampler)
        passed = (grad, planes, *(one.detach() for one in given), *options)
        if for_image:
            of_image.append(library.footprint_image_gradient(*passed))
        if for_maps:
            found = library.footprint_place_gradients(*passed)
            asked = given.points, given.inverse
            pairs = zip(found, asked, strict=True)
            found = [one.to(like.dtype) for one, like in pairs]
            of_maps += torch.autograd.grad(asked, own, found)
    return _stacked(of_image), _stacked(of_maps)


def _stacked(parts: list[Tensor]) -> Tensor | None:
    return torch.stack(parts) if parts else None


def _given(map: Tensor, size: tuple[int, int], sampler: Sampler) -> Given:
    places = places_of(map, size, True)
    assert places.jacobian is not None
    support, longest = sampler.kernel.kernel_size, max(sampler.in_shape)
    stretched = footprints(places.jacobian, support, longest, sampler.slack)
    with torch.no_grad():
        seen = places.exist & sampler.reaches(places.points, stretched.reach)
        check_stretch(stretched.reach, seen)
    points = torch.where(seen[:, None], places.points, torch.nan)
    given = points, stretched.reach, stretched.inverse.float()
    return Given(*(one.unflatten(0, size).contiguous() for one in given))
