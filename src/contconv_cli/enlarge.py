"""A picture enlarged by a network, plane by plane if it has other colours than RGB."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from contconv.models import SuperResolutionNet
from contconv.models.superres import count_tiles
from contconv_cli.errors import SetupError
from contconv_cli.jobs import Share
from contconv_cli.networks import Networks
from contconv_cli.pictures.alpha import between_neighbors, weighted
from contconv_cli.pictures.picture import Picture
from contconv_cli.sizes import Wanted


@dataclass(frozen=True)
class Enlarger:
    """Networks, and how they are applied.

    Attributes:
        networks: They enlarge images of red, green and blue.
        tile: About the side of the largest tile, in output pixels.
        members: In how many ways each picture is laid, of which the mean is taken.
    """

    networks: Networks
    tile: int
    members: int

    def steps(self, picture: Picture, wanted: Wanted) -> int:
        """How often `__call__` tells of progress."""
        size = wanted.of(picture.size)
        return len(_groups(picture)) * count_tiles(picture.size, size, self.tile)

    def remark(self, picture: Picture) -> tuple[str, str] | None:
        """Which weights it takes for the picture, and why, if that differs."""
        return self.networks.remark(picture)

    def __call__(
        self, picture: Picture, wanted: Wanted, advance: Callable[[], None]
    ) -> Picture:
        """The picture, enlarged; in memory that the tile bounds, beside the pixels."""
        net = self.networks.of(picture)
        size, dtype = wanted.of(picture.size), picture.planes.dtype
        colours = picture.planes.shape[0]
        out = np.empty((colours + (picture.alpha is not None), *size), dtype)
        with self.networks.computing(picture):
            for planes, triple in zip(_groups(picture), _triples(picture), strict=True):
                grey = bool((triple == triple[:1]).all())
                for rows, columns, values in self._tiles(net, triple, wanted, picture):
                    target = out[planes, rows, columns]
                    values = values.mean(0, keepdim=True) if grey else values
                    target[...] = _whole(values, picture)
                    advance()
        if picture.kind == "cmyk":
            out[:colours] = picture.white - out[:colours]
        alpha = None
        if picture.alpha is not None:
            scales = wanted.scales(picture.size)
            alpha = between_neighbors(out[-1], picture.alpha, scales, "center")
        return replace(picture, planes=out[:colours], alpha=alpha)

    def _tiles(
        self, net: SuperResolutionNet, triple: Tensor, wanted: Wanted, picture: Picture
    ) -> Iterator[tuple[slice, slice, Tensor]]:
        return net.tiles(
            triple.to(self.networks.device),
            scale=wanted.scale,
            size=wanted.of(picture.size) if wanted.scale is None else None,
            tile=self.tile,
            members=self.members,
        )


def enlarger(
    model: str,
    device: str | None,
    precision: str,
    tile: int,
    members: int,
    share: Share,
) -> Enlarger:
    """The networks on a device, as the command line says."""
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if where == "cuda" and share.count > 1:
        where = f"cuda:{share.local}"
    if where.partition(":")[0] == "meta":
        raise SetupError(f"device {where} cannot be used: it computes no numbers")
    return Enlarger(Networks(model, where, precision), tile, members)


def _groups(picture: Picture) -> list[slice]:
    """The planes that are enlarged together; alpha comes after the colours."""
    colours, groups = len(picture.planes), []
    if colours >= 3:
        groups.append(slice(0, 3))
    if colours != 3:
        groups.append(slice(colours - 1, colours))
    if picture.alpha is not None:
        groups.append(slice(colours, colours + 1))
    return groups


def _triples(picture: Picture) -> Iterator[Tensor]:
    """For each group of planes, an image of three channels.

    Grey is three times the same, and comes out so. Cyan, magenta and yellow are what
    lacks of red, green and blue; black is what lacks of white.
    """
    planes = torch.from_numpy(picture.planes.astype(np.float32) / picture.white)
    if picture.kind == "cmyk":
        planes = 1 - planes
    if picture.alpha is not None:
        alpha = torch.from_numpy(picture.alpha.astype(np.float32) / picture.white)
        colours = planes if picture.is_opaque else weighted(planes, alpha)
        planes = torch.cat([colours, alpha[None]])
    for group in _groups(picture):
        yield planes[group].expand(3, -1, -1)


def _whole(values: Tensor, picture: Picture) -> np.ndarray:
    """Rounded half up to what the picture's pixels can be."""
    scaled = values.double().mul_(picture.white).add_(0.5).floor_()
    return scaled.clamp_(0, picture.white).cpu().numpy().astype(picture.planes.dtype)
