"""ContinuousConv1d, 2d and 3d: the continuous convolution layers."""

from contconv.nn.layer import ContinuousConv


class ContinuousConv1d(ContinuousConv):
    """A continuous convolution of ``[n, c, width]`` or ``[c, width]``.

    The arguments are those of `ContinuousConv2d`, with one axis.

    Example:
        >>> layer = ContinuousConv1d(3, 8, 5)
        >>> layer(torch.rand(2, 3, 100), size=144).shape
        torch.Size([2, 8, 144])
    """

    ndim = 1


class ContinuousConv2d(ContinuousConv):
    r"""A convolution whose filter is a learned function of sub-pixel distance.

    One trained layer resizes ``[n, c, height, width]`` or ``[c, height, width]`` to any
    size, chosen at each call, differently per axis. At a scale of 1 with an odd kernel
    size it is ``nn.Conv2d`` with ``padding="same"``; `contconv.continuous_conv` has the
    formula.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Width of the kernel's support in input pixels, for all axes or for
            each.
        scale: Output over input pixels where a call gives neither scale, size nor
            points: for all axes or for each. 0.5 is a stride of 2. Ints and
            ``Fraction`` are exact; a float is taken to the nearest ratio with a
            denominator up to 10**6. 1 unless scale or size is given. A
            `LearnableScale` is learned.
        size: Output pixels of such a call, for all axes or for each; without a scale
            it sets the scale, too. With both, the grid keeps the scale, has this size,
            and stays centred: so a network's last layer lands on a fixed shape.
        groups: Groups of channels that do not mix.
        bias: Whether to add a learned bias to each output channel.
        padding: Lay the grid as ``nn.Conv2d`` does that has this padding and a stride
            of ``1 / scale``, counted from the first pixel, with as many output pixels;
            for all axes or for each. Unless given, the grid is centred on the input.
        padding_mode: What lies outside the input: ``"zeros"``, ``"reflect"``,
            ``"replicate"``, ``"circular"`` or ``"symmetric"``.
        kernel: ``"cosine"``, ``"mlp"``, ``"spline"``, or a kernel of one's own; one
            with a single input and output channel serves all channels, with
            ``groups=in_channels``.
        antialias: Whether to stretch the kernel where an axis shrinks, as classical
            resizing does.
        align: Where the grid lies without padding: ``"center"``, both extents centred;
            ``"edge"``, the first boundary of the output on that of the input;
            ``"first"``, the first pixel on the first.
        engine: How to compute it: ``"auto"``, or by name: ``"native"``,
            ``"periodic"``, ``"fused"``, ``"separable"``, ``"factored"`` or
            ``"reference"``.
        device: Where the parameters live.
        dtype: The dtype of the parameters.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If channels, groups, sizes or the kernel do not fit together, or a
            name is unknown; the message lists the known ones.

    Example:
        >>> layer = ContinuousConv2d(3, 8, 4, scale=0.6)
        >>> image = torch.rand(1, 3, 10, 10)
        >>> layer(image).shape
        torch.Size([1, 8, 6, 6])
        >>> layer(image, scale=(1.4, 0.3)).shape
        torch.Size([1, 8, 14, 3])
        >>> layer(image, size=(17, 5)).shape
        torch.Size([1, 8, 17, 5])
    """

    ndim = 2


class ContinuousConv3d(ContinuousConv):
    """A continuous convolution of ``[n, c, depth, height, width]``, or without ``n``.

    The arguments are those of `ContinuousConv2d`, with three axes.

    Example:
        >>> layer = ContinuousConv3d(1, 2, 3, scale=(1, 0.5, 0.5))
        >>> layer(torch.rand(1, 1, 4, 6, 6)).shape
        torch.Size([1, 2, 4, 3, 3])
    """

    ndim = 3


# By the number of axes.
LAYERS: dict[int, type[ContinuousConv]] = {
    1: ContinuousConv1d,
    2: ContinuousConv2d,
    3: ContinuousConv3d,
}
