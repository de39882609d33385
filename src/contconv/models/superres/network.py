"""SuperResolutionNet: enlarges photographs by any factor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from contconv._files import network_file
from contconv._grid.grid import resized_axes
from contconv._grid.ratio import Ratio, Scale, Size
from contconv._runtime.arguments import as_whole
from contconv._runtime.autocast import no_autocast
from contconv._runtime.shapes import Float, no_type_check
from contconv.models.superres.encoder import ResidualEncoder
from contconv.models.superres.scale_aware import ScaleAwareKernel
from contconv.models.superres.tile_grid import count_tiles
from contconv.models.superres.tiling import Tiled
from contconv.models.superres.turns import TURNS
from contconv.models.superres.upsampler import enlarged, landed

# The refinement starts small: a new network is nearly cubic resizing.
_BEGINNING = 0.1

# The width of each kernel, and its options. Two cosines a pixel, the finest with a
# period of 8/7 pixels, let the kernel be another one at each sub-pixel offset, as pixel
# shuffle's are: with four on four pixels, or splines, pictures were about 0.2 dB less
# like the original after 1,000 steps.
_KERNELS: dict[str, tuple[int, dict[str, Any]]] = {
    "cosine": (4, {"frequencies": 8}),
    "spline": (5, {}),
}


class SuperResolutionNet(nn.Module):
    """Enlarges images by any factor, per axis, chosen at each call.

    An encoder at the size of the input, a continuous convolution that lands on the
    grid that is asked for, and a convolution there. They make what cubic resizing
    (`contconv.resize`) lacks, to which it is added. The kernel of the continuous layer
    depends on the scale as well as on the distance.

    Under `torch.autocast`, a network in evaluation mode computes what the encoder does
    in lower precision, and what lands in that of the images.

    Args:
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        refine_channels: Channels at the size of the output.
        kernel: The kernel of the continuous layer: ``"cosine"`` (8x8 of them on 4x4
            pixels) or ``"spline"`` (on 5x5).
        scale_aware: Whether that kernel depends on the scale, too.

    Raises:
        TypeError, ValueError: If a number is no whole number of at least 1, or the
            kernel is none of the two.

    Example:
        >>> net = SuperResolutionNet(8, 2)
        >>> net(torch.rand(1, 3, 12, 10), scale=(2.7, 1.5)).shape
        torch.Size([1, 3, 33, 15])
    """

    def __init__(
        self,
        channels: int = 32,
        blocks: int = 8,
        *,
        refine_channels: int = 16,
        kernel: str = "cosine",
        scale_aware: bool = True,
    ) -> None:
        super().__init__()
        if kernel not in _KERNELS:
            raise ValueError(
                f"kernel must be one of {sorted(_KERNELS)}, got {kernel!r}"
            )
        self.arguments = {
            "channels": channels,
            "blocks": blocks,
            "refine_channels": refine_channels,
            "kernel": kernel,
            "scale_aware": scale_aware,
        }
        width, options = _KERNELS[kernel]
        self.encoder = ResidualEncoder(channels, blocks)
        self.kernel = ScaleAwareKernel(
            kernel,
            channels,
            refine_channels,
            (width, width),
            aware=scale_aware,
            **options,
        )
        self.refine = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(refine_channels, 3, 3, padding=1),
        )
        self.refine[-1].weight.data.mul_(_BEGINNING)  # type: ignore

    @no_type_check
    def forward(
        self,
        images: Float[Tensor, "n 3 h w"],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
    ) -> Float[Tensor, "n 3 height width"]:
        """Enlarge images.

        Args:
            images: RGB, with values in 0..1.
            scale: Output over input pixels, at least 1, for both axes or for each.
            size: Output pixels, for both axes or for each. `contconv.continuous_conv`
                says how scale and size go together; one of them has to be given.

        Returns:
            RGB; values may lie a little outside 0..1.

        Raises:
            TypeError: If the images are not floating-point, or another argument is of
                a wrong type.
            ValueError: If neither scale nor size is given, or the images would shrink.
        """
        ratios, size = target(images, scale, size)
        images = images.contiguous(memory_format=torch.channels_last)
        return self._decoded(self.encode(images), images, ratios, size)

    @no_type_check
    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n f h w"]:
        """The features of images, from which `decode` makes any size of them.

        Args:
            images: RGB, with values in 0..1.

        Raises:
            TypeError, ValueError: If they are no such images.
        """
        _check_images(images)
        return self.encoder(images.contiguous(memory_format=torch.channels_last))

    @no_type_check
    def decode(
        self,
        features: Float[Tensor, "n f h w"],
        images: Float[Tensor, "n 3 h w"],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
    ) -> Float[Tensor, "n 3 height width"]:
        """Enlarge images whose features are there already, as `forward` does.

        Args:
            features: What `encode` made of the images.
            images: RGB, with values in 0..1.
            scale: As for `forward`.
            size: As for `forward`.

        Raises:
            TypeError, ValueError: As `forward` does.

        Example:
            >>> net, images = SuperResolutionNet(8, 2), torch.rand(1, 3, 12, 10)
            >>> features = net.encode(images)
            >>> [net.decode(features, images, scale=s).shape[2:] for s in (1.5, 3)]
            [torch.Size([18, 15]), torch.Size([36, 30])]
        """
        ratios, size = target(images, scale, size)
        images = images.contiguous(memory_format=torch.channels_last)
        return self._decoded(features, images, ratios, size)

    def _decoded(
        self, features: Tensor, images: Tensor, ratios: tuple[Ratio, ...], size: Any
    ) -> Tensor:
        if self.training:
            return self._landed(features, images, ratios, size)
        # In lower precision, no tile would be what the whole is.
        with no_autocast(images.device.type):
            return self._landed(features.to(images.dtype), images, ratios, size)

    def _landed(
        self, features: Tensor, images: Tensor, ratios: tuple[Ratio, ...], size: Any
    ) -> Tensor:
        kernel, bias = self.kernel.at(ratios)
        features = landed(features, kernel, bias, ratios, size, learns=self.training)
        return self.refine(features) + enlarged(images, ratios, size)

    @torch.no_grad()
    def tiles(
        self,
        image: Float[Tensor, "3 h w"],
        *,
        scale: Scale | None = None,
        size: Size | None = None,
        tile: int = 768,
        members: int = 1,
    ) -> Iterator[tuple[slice, slice, Float[Tensor, "3 rows columns"]]]:
        """Enlarge a picture tile by tile, in memory that the tile bounds.

        On a CPU, with ``contconv-native``, tiles are bit for bit what `forward` would
        give there, of a network in evaluation mode; elsewhere to rounding.

        Args:
            image: RGB, with values in 0..1.
            scale: As for `forward`.
            size: As for `forward`.
            tile: About the side of the largest tile, in output pixels; at least 64.
            members: In how many of the eight ways the picture is laid, turned and
                mirrored; each result is laid back, and their mean is taken.

        Yields:
            The rows and the columns of a tile, and its values.

        Raises:
            TypeError, ValueError: As `forward` does, or if the tile is too small, or
                members are not 1 to 8.

        Example:
            >>> net, image = SuperResolutionNet(8, 2).eval(), torch.rand(3, 200, 200)
            >>> whole = net(image[None], scale=1.7)[0]
            >>> all(
            ...     torch.equal(whole[:, rows, columns], values)
            ...     for rows, columns, values in net.tiles(image, scale=1.7, tile=100)
            ... )
            True
        """
        ratios, out = target(image[None], scale, size)
        if as_whole(members, "members") > len(TURNS):
            raise ValueError(f"members must be at most {len(TURNS)}, got {members}")
        if count_tiles(image.shape[1:], out, tile) == members == 1:
            whole = self(image[None], scale=scale, size=size)[0]
            yield slice(0, out[0]), slice(0, out[1]), whole
        else:
            yield from Tiled(self, image[None], ratios, out, tile, members)

    def save(self, path: str | Path) -> None:
        """Write the network to a safetensors file, in half precision, with a SHA-256.

        Args:
            path: The file; it is written whole or not at all.
        """
        config = {"name": type(self).__name__, "arguments": self.arguments}
        network_file.write(Path(path), network_file.halves(self), config)


def target(
    images: Tensor, scale: Scale | None, size: Size | None
) -> tuple[tuple[Ratio, ...], tuple[int, ...]]:
    """The scale and the size of the output, per axis; it raises as `forward` does."""
    _check_images(images)
    if scale is None and size is None:
        raise ValueError("give a scale or a size, such as scale=2.7")
    axes = resized_axes(images.shape[2:], (1, 1), scale, size)
    # Without a size there are enough, which an export cannot know of free shapes.
    for axis in axes:
        if axis.up < axis.down or (size is not None and axis.out_size < axis.in_size):
            raise ValueError(
                "scale must be at least 1 on both axes, got "
                f"{' and '.join(f'{a.up / a.down:g}' for a in axes)}; "
                "contconv.resize makes images smaller"
            )
    ratios = tuple(Ratio(axis.up, axis.down) for axis in axes)
    return ratios, tuple(axis.out_size for axis in axes)


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        kind = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(
            f"images must be a floating-point tensor, got {kind}; for 8 bits divide by "
            "255"
        )
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(
            "images must be [n, 3, height, width] with at least 1 pixel, got "
            f"{tuple(images.shape)}"
        )
