"""A picture resized by a classical kernel."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from contconv import resize
from contconv_cli.pictures.alpha import between_neighbors, filled
from contconv_cli.pictures.picture import Picture
from contconv_cli.sizes import Wanted


@dataclass(frozen=True)
class Resizer:
    """A kernel, and how it is applied.

    Attributes:
        kernel: Its name.
        antialias: Whether it is stretched where a picture shrinks.
        align: Where the grid lies; the library's default if None.
        edges: What lies outside the picture; the library's default if None.
    """

    kernel: str
    antialias: bool
    align: str | None = None
    edges: str | None = None

    def steps(self, picture: Picture, wanted: Wanted) -> int:
        """How often `__call__` tells of progress."""
        return 1

    def remark(self, picture: Picture) -> None:
        """Nothing: it does the same with all."""

    def __call__(
        self, picture: Picture, wanted: Wanted, advance: Callable[[], None]
    ) -> Picture:
        """The picture, resized; in 8 bits with the rounding of MATLAB's ``imresize``.

        Colours weigh by their opacity, where it is not the same everywhere.
        """
        alpha = picture.alpha
        if alpha is None or (alpha == alpha.flat[0]).all():
            planes = self._whole(picture.planes, wanted, picture)
            if alpha is not None:
                alpha = np.full(planes.shape[1:], alpha.flat[0])
        else:
            planes, out = self._by_opacity(picture, alpha, wanted)
            scales = wanted.scales(picture.size)
            alpha = between_neighbors(out, alpha, scales, self.align or "center")
        advance()
        return replace(picture, planes=planes, alpha=alpha)

    def _by_opacity(
        self, picture: Picture, alpha: np.ndarray, wanted: Wanted
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colours and opacity."""
        colours = torch.from_numpy(picture.planes.astype(np.float64))
        opacity = torch.from_numpy(alpha.astype(np.float64))
        weights = self._resized(opacity[None], wanted, picture)
        out = self._resized(colours * opacity, wanted, picture) / weights
        # Below half a step nothing shows; what is there goes on from its neighbors.
        unseen = weights[0] < 0.5
        if unseen.any():
            more = self._resized(filled(colours, opacity), wanted, picture)
            out[:, unseen] = more[:, unseen]
        return _rounded(out, picture), _rounded(weights[0], picture)

    def _whole(
        self, planes: np.ndarray, wanted: Wanted, picture: Picture
    ) -> np.ndarray:
        if planes.dtype != np.uint8:
            planes = planes.astype(np.float64)
        out = self._resized(torch.from_numpy(planes), wanted, picture)
        return out.numpy() if out.dtype == torch.uint8 else _rounded(out, picture)

    def _resized(self, planes: Tensor, wanted: Wanted, picture: Picture) -> Tensor:
        options: dict[str, Any] = {}
        if self.align is not None:
            options["align"] = self.align
        if self.edges is not None:
            options["padding_mode"] = self.edges
        size = wanted.of(picture.size) if wanted.scale is None else None
        return resize(
            planes[None],
            scale=wanted.scale,
            size=size,
            kernel=self.kernel,
            antialias=self.antialias,
            **options,
        )[0]


def _rounded(out: Tensor, picture: Picture) -> np.ndarray:
    """Rounded half up to what the picture's pixels can be."""
    whole = (out + 0.5).floor().clamp(0, picture.white)
    return whole.numpy().astype(picture.planes.dtype)
