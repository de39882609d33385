"""What people use to enlarge by any factor, on the encoder of `SuperResolutionNet`.

All learn what cubic resizing lacks, and are called as it is: with images and a size.
"""

from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from contconv import resize
from contconv.models.superres.encoder import ResidualEncoder

Size = tuple[int, int]


class Cubic(nn.Module):
    """Cubic resizing alone."""

    def forward(self, images: Tensor, *, size: Size) -> Tensor:
        return cubic(images, size)


class Shuffle(nn.Module):
    """A pixel shuffle for each of some whole factors, then cubic resizing to the size.

    The smallest factor that reaches the size is taken, or the largest there is.

    Args:
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        factors: Whole factors, ascending.
        refine_channels: Channels at the size of the output.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        factors: tuple[int, ...],
        *,
        refine_channels: int = 16,
    ) -> None:
        super().__init__()
        self.encoder = ResidualEncoder(channels, blocks)
        self.heads = nn.ModuleDict(
            {
                str(factor): _shuffle(channels, refine_channels, factor)
                for factor in factors
            }
        )
        self.factors = factors

    def forward(self, images: Tensor, *, size: Size) -> Tensor:
        shape = images.shape[2:]
        needed = max(
            ceil(out / pixels) for out, pixels in zip(size, shape, strict=True)
        )
        reaching = [factor for factor in self.factors if factor >= needed]
        factor = reaching[0] if reaching else self.factors[-1]
        whole = (factor * shape[0], factor * shape[1])
        made = self.heads[str(factor)](self.encoder(images)) + cubic(images, whole)
        return made if whole == size else resize(made, size=size)


def _shuffle(channels: int, refine_channels: int, factor: int) -> nn.Sequential:
    head = nn.Sequential(
        nn.Conv2d(channels, refine_channels * factor**2, 3, padding=1),
        nn.PixelShuffle(factor),
        nn.ReLU(),
        nn.Conv2d(refine_channels, 3, 3, padding=1),
    )
    head[-1].weight.data.mul_(0.1)  # type: ignore
    return head


def cubic(images: Tensor, size: Size) -> Tensor:
    """Classical resizing."""
    return resize(images, size=size, antialias=False)


class Queries(nn.Module):
    """Colours asked for pixel by pixel: what LIIF and Meta-SR have in common.

    They learn from some random pixels of each image, as their authors let them.

    Args:
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        chunk: Output pixels that are computed at once where nothing learns.
    """

    samples = 1024

    def __init__(self, channels: int, blocks: int, chunk: int) -> None:
        super().__init__()
        self.encoder, self.chunk = ResidualEncoder(channels, blocks), chunk

    def forward(self, images: Tensor, *, size: Size) -> Tensor:
        shape = images.shape[2:]
        features, pixel = self.prepared(images), _pixel(shape, size, images)
        points = _positions(shape, size).to(images)
        parts = [self.query(features, p, pixel) for p in points.split(self.chunk)]
        out = torch.cat(parts, 1).transpose(1, 2)
        return out.reshape(len(images), 3, *size) + cubic(images, size)

    def loss(self, images: Tensor, targets: Tensor) -> Tensor:
        """The mean absolute error at some random pixels."""
        shape, size = images.shape[2:], (targets.shape[2], targets.shape[3])
        which = torch.randperm(targets[0, 0].numel())[: self.samples]
        points = _positions(shape, size)[which].to(images)
        made = self.query(self.prepared(images), points, _pixel(shape, size, images))
        lacking = (targets - cubic(images, size)).flatten(2)[..., which]
        return (made.transpose(1, 2) - lacking).abs().mean()

    def prepared(self, images: Tensor) -> Tensor:
        """What is computed once for all pixels of an image."""
        raise NotImplementedError

    def query(self, features: Tensor, points: Tensor, pixel: Tensor) -> Tensor:
        """Colours, ``[n, points, 3]``.

        Args:
            features: What `prepared` gave.
            points: ``[points, 2]``, in input pixels.
            pixel: ``[2]``, an output pixel in input pixels.
        """
        raise NotImplementedError


def _pixel(shape: tuple[int, ...], size: Size, like: Tensor) -> Tensor:
    return torch.tensor([i / o for i, o in zip(shape, size, strict=True)]).to(like)


def _positions(shape: tuple[int, ...], size: Size) -> Tensor:
    """Where the output pixels lie, in input pixels: Eq. 2."""
    y, x = (
        (torch.arange(out, dtype=torch.float64) + 0.5) * pixels / out - 0.5
        for pixels, out in zip(shape, size, strict=True)
    )
    return torch.cartesian_prod(y, x)


def _taken(features: Tensor, nearest: Tensor) -> Tensor:
    """The features at whole pixels: ``[n, points, c]``."""
    height, width = features.shape[2:]
    y, x = nearest[:, 0].clamp(0, height - 1), nearest[:, 1].clamp(0, width - 1)
    rows = (y * width + x).long()
    return features.permute(0, 2, 3, 1).flatten(1, 2).index_select(1, rows)


class LocalImplicit(Queries):
    """As LIIF (Chen et al., "Learning Continuous Image Representation", 2021).

    A network of the features of 3x3 pixels, of the distance to the middle one, and of
    the size of an output pixel; for the four nearest, weighed by the opposite areas.
    The first layer's products with the features are those of a 3x3 convolution, and
    computed as such: that is the same, and many times as fast.

    Beyond the outermost pixels their features go on, half a pixel further; there LIIF
    takes the outermost pixel for all four instead.

    Args:
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        hidden: Units of each hidden layer.
        depth: Hidden layers.
    """

    def __init__(
        self, channels: int, blocks: int, *, hidden: int = 64, depth: int = 3
    ) -> None:
        super().__init__(channels, blocks, chunk=16384)
        self.of_features = nn.Conv2d(channels, hidden, 3, padding=1)
        self.of_places = nn.Linear(4, hidden, bias=False)
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth - 1))
        self.colours = nn.Linear(hidden, 3)
        self.colours.weight.data.mul_(0.1)

    def prepared(self, images: Tensor) -> Tensor:
        return self.of_features(self.encoder(images))

    def query(self, features: Tensor, points: Tensor, pixel: Tensor) -> Tensor:
        low, total = points.floor(), 0
        for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
            nearest = low + points.new_tensor(corner)
            distance = points - nearest
            places = torch.cat([distance, pixel.expand_as(distance)], 1)
            data = relu(_taken(features, nearest) + self.of_places(places))
            for layer in self.layers:
                data = relu(layer(data))
            opposite = (1 - distance.abs()).prod(1)
            total = total + self.colours(data) * opposite[:, None]
        assert isinstance(total, Tensor)
        return total


class MetaUpscale(Queries):
    """As Meta-SR (Hu et al., "Meta-SR", 2019): the filter of each pixel is predicted.

    A network of the sub-pixel offset and of the scale gives the weights of 3x3 pixels.

    Args:
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        hidden: Units of the hidden layer.
    """

    def __init__(self, channels: int, blocks: int, *, hidden: int = 64) -> None:
        super().__init__(channels, blocks, chunk=4096)
        self.filters = nn.Sequential(
            nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 9 * channels * 3)
        )
        self.filters[-1].weight.data.mul_(0.1)  # type: ignore

    def prepared(self, images: Tensor) -> Tensor:
        around = nn.functional.unfold(self.encoder(images), 3, padding=1)
        around = around.view(len(images), -1, *images.shape[2:])
        # What a pixel needs lies together; else each chunk of pixels copies everything,
        # and a call takes 3.5 times as long.
        return around.contiguous(memory_format=torch.channels_last)

    def query(self, features: Tensor, points: Tensor, pixel: Tensor) -> Tensor:
        nearest = points.round()
        offset = points - nearest
        places = torch.cat([offset, pixel.expand_as(offset)], 1)
        filters = self.filters(places).unflatten(1, (3, -1))
        near = _taken(features, nearest).permute(1, 2, 0)  # points, c, n
        return torch.bmm(filters, near).permute(2, 0, 1)
