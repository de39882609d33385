"""Bad input is refused at the door: the right exception, in words that help."""

import re
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from contconv import ContinuousConv2d, continuous_conv, explain, resize
from contconv._grid.padding import PADDING_MODES
from contconv.engines import ENGINES
from contconv.kernels import (
    BoxKernel,
    ContinuousKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
)

# As users have it: the shape checks would refuse some of it in words of their own.
pytestmark = pytest.mark.plain

IMAGE = torch.rand(2, 4, 6, 5)
KERNEL = CosineKernel(4, 6, (3, 3))
LAYER = ContinuousConv2d(4, 6, 3, kernel=KERNEL)
POINTS = torch.rand(3, 2, 2)


def refused(expected: str):
    """Expect ``"TypeError: the message, or its beginning"``."""
    name, message = expected.split(": ", 1)
    error = {"TypeError": TypeError, "ValueError": ValueError}[name]
    return pytest.raises(error, match="^" + re.escape(message))


def refusals(cases: dict[str, tuple[Any, str]]):
    """One test for each case: what is given, and what it is refused with."""
    return pytest.mark.parametrize("given, expected", cases.values(), ids=cases)


NO_SCALE = "TypeError: scale must be an int, a float or a Fraction, or one of these "
TERMS = "ValueError: scale needs whole numbers beyond 64 bits, got "
PER_AXIS = "must be one value or one for each of the 2 axes, got "
SCALES = {
    "zero": (0, "ValueError: scale must be positive and finite, got 0"),
    "negative": (-1.5, "ValueError: scale must be positive and finite, got -1.5"),
    "nan": (float("nan"), "ValueError: scale must be positive and finite, got nan"),
    "inf": (float("inf"), "ValueError: scale must be positive and finite, got inf"),
    "large": (1e300, TERMS + "about 10^300; round it with Fraction.limit_denom"),
    "larger than floats": (Fraction(10) ** 400, TERMS + "about 10^400;"),
    "small": (Fraction(1, 10**5000), TERMS + "1/about 10^5000;"),
    "long": (Fraction(10**19 + 1, 10**19), TERMS + "10000000000000000001/1000"),
    "one bad axis": ((2, -1), "ValueError: scale must be positive and finite, got -1"),
    "bool": (True, NO_SCALE + "per axis, got bool"),
    "string": ("2", NO_SCALE + "per axis, got str; for instance Fraction('2')"),
    "tensor": (torch.tensor(2.0), NO_SCALE + "per axis, got Tensor"),
    "array": (np.ones(2), NO_SCALE + "per axis, got ndarray"),
    "complex": (2j, NO_SCALE + "per axis, got complex"),
    "none within": ((None, 2), NO_SCALE + "per axis, got NoneType"),
    "tiny": (
        1e-9,
        "ValueError: scale must be at least 1e-06 as a float, got 1e-09; pass",
    ),
    "axes": ((1, 2, 3), f"ValueError: scale {PER_AXIS}3: (1, 2, 3)"),
}
SIZES = {
    "zero": (0, "ValueError: {} must be at least 1, got 0"),
    "negative": ((3, -1), "ValueError: {} must be at least 1, got -1"),
    "float": (3.0, "TypeError: {} must be a whole number, got 3.0 (float)"),
    "bool": (True, "TypeError: {} must be a whole number, got True (bool)"),
    "string": ("3", "TypeError: {} must be a whole number, got '3' (str)"),
    "large": (10**30, "ValueError: {} must be below 2**63, got about 10^30"),
    "axes": ((3,), f"ValueError: {{}} {PER_AXIS}1: (3,)"),
    "array": (
        np.array([3, 2]),
        "TypeError: {0} must be a whole number, got array([3, 2]) (ndarray); "
        "pass {0}.tolist()",
    ),
    "tensor": (
        torch.tensor([3, 2]),
        "TypeError: {0} must be a whole number, got tensor([3, 2]) (Tensor); "
        "pass {0}.tolist()",
    ),
    "tensor of a float": (
        torch.tensor(3.0),
        "TypeError: {} must be a whole number, got tensor(3.) (Tensor)",
    ),
}


@refusals(SCALES)
def test_scale(given, expected):
    with refused(expected):
        ContinuousConv2d(4, 6, 3, scale=given)
    with refused(expected):
        LAYER(IMAGE, scale=given)
    with refused(expected):
        continuous_conv(IMAGE, KERNEL, scale=given)
    with refused(expected):
        explain(IMAGE, KERNEL, scale=given)
    with refused(expected):
        resize(IMAGE, scale=given)


@refusals(SIZES)
def test_size(given, expected):
    with refused(expected.format("kernel_size")):
        ContinuousConv2d(4, 6, given)
    with refused(expected.format("size")):
        LAYER(IMAGE, size=given)
    with refused(expected.format("size")):
        LAYER.explain(IMAGE, size=given)
    with refused(expected.format("size")):
        resize(IMAGE, size=given)


DIVIDE = (
    "groups must divide in_channels and out_channels, got groups=3, in_channels=4, "
)
CHANNELS = "the kernel must have 6 output and 4 input channels per group, got 6 and 3"
SAME = "kernel_size is (3, 3), but the kernel has (5, 3); give both the same"
SHARED = (
    "a kernel that all channels share needs in_channels, out_channels and groups to "
)
KINDS = "kernel must be a ContinuousKernel or the name of a learned kernel, got Conv2d"
ENGINE = f"unknown engine 'warp'; choose 'auto' or one of {sorted(ENGINES)}"
MODE = f"unknown padding_mode 'same'; choose one of {list(PADDING_MODES)}"
NAMES = "['bandlimited', 'cosine', 'mlp', 'spline']"
LEARNED = f"unknown kernel 'cubic'; choose one of {NAMES} or pass a "
LAYERS: dict[str, tuple[dict[str, Any], str]] = {
    "in": ({"in_channels": 0}, "ValueError: in_channels must be at least 1, got 0"),
    "out": (
        {"out_channels": -1},
        "ValueError: out_channels must be at least 1, got -1",
    ),
    "large": (
        {"kernel_size": 10**5000},
        "ValueError: kernel_size must be below 2**63, got about 10^5000",
    ),
    "float": (
        {"in_channels": 4.0},
        "TypeError: in_channels must be a whole number, got 4.0",
    ),
    "no groups": ({"groups": 0}, "ValueError: groups must be at least 1, got 0"),
    "groups": ({"groups": 3}, "ValueError: " + DIVIDE),
    "engine": ({"engine": "warp"}, "ValueError: " + ENGINE),
    "mode": ({"padding_mode": "same"}, "ValueError: " + MODE),
    "name": ({"kernel": "cubic"}, "ValueError: " + LEARNED),
    "type": ({"kernel": nn.Conv2d(4, 6, 3)}, "TypeError: " + KINDS),
    "size": ({"kernel": CosineKernel(4, 6, (5, 3))}, "ValueError: " + SAME),
    "channels": ({"kernel": CosineKernel(3, 6, (3, 3))}, "ValueError: " + CHANNELS),
    "shared": ({"kernel": CosineKernel(1, 1, (3, 3))}, "ValueError: " + SHARED),
}


@refusals(LAYERS)
def test_layer(given, expected):
    defaults = {"in_channels": 4, "out_channels": 6, "kernel_size": 3}
    with refused(expected):
        ContinuousConv2d(**defaults | given)


AXES = (
    "input must be [batch, channels, height, width] or [channels, height, width] for "
)
FOUR = "input must have 4 channels (4 in each of 1 groups) for this kernel, got 3"
PIXEL = "input must have at least 1 pixel on every axis, got (2, 4, 6, 0)"
FLOAT = "TypeError: input must be a floating-point tensor, got "
CONVERT = "; convert it first, for instance input.float() / 255"
DTYPE = "input has dtype torch.float64, but the kernel has torch.float32; convert one "
DEVICE = "input is on meta, but the kernel is on cpu; move one with .to(device)"


def quantized(image):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that quantized tensors will go
        return torch.quantize_per_tensor(image, 0.1, 0, torch.quint8)


INPUTS = {
    "array": (IMAGE.numpy(), "TypeError: input must be a tensor, got ndarray; convert"),
    "none": (None, "TypeError: input must be a tensor, got NoneType"),
    "channels": (IMAGE[:, :3], "ValueError: " + FOUR),
    "rank": (
        IMAGE[0, 0],
        f"ValueError: {AXES}a kernel with 2 axes, got 2 axes: (6, 5)",
    ),
    "empty axis": (IMAGE[..., :0], "ValueError: " + PIXEL),
    "uint8": (IMAGE.byte(), FLOAT + "torch.uint8" + CONVERT),
    "int64": (IMAGE.long(), FLOAT + "torch.int64" + CONVERT),
    "complex": (
        IMAGE.to(torch.complex64),
        FLOAT + "torch.complex64; convert it first, for instance torch.view_as_real",
    ),
    "quantized": (
        quantized(IMAGE),
        FLOAT + "torch.quint8; convert it first, for instance input.dequantize()",
    ),
    "float8": (
        IMAGE.to(torch.float8_e4m3fn),
        "TypeError: input must be a floating-point tensor of 16 bits or more, got "
        "torch.float8_e4m3fn; convert it first",
    ),
    "sparse": (
        IMAGE.to_sparse(),
        "TypeError: input must be a dense tensor, got one of layout torch.sparse_coo",
    ),
    "dtype": (IMAGE.double(), "TypeError: " + DTYPE),
    "device": (IMAGE.to("meta"), "ValueError: " + DEVICE),
}


@refusals(INPUTS)
def test_input(given, expected):
    with refused(expected):
        LAYER(given)
    with refused(expected):
        continuous_conv(given, KERNEL)
    if expected != "ValueError: " + DEVICE:  # to `explain`, meta stands for any device
        with refused(expected):
            explain(given, KERNEL)


class Own(ContinuousKernel):
    """A kernel of somebody else's, perhaps not a good one."""

    def __init__(self, head=None, functions=2, dtype=None):
        super().__init__((3, 3))
        self.functions, self.dtype_of_basis = functions, dtype
        if head is not None:
            self.head = head

    def basis(self, distances):
        basis = torch.stack([distances.sum(-1)] * self.functions, -1)
        return basis if self.dtype_of_basis is None else basis.to(self.dtype_of_basis)


HEAD = (
    "TypeError: kernel.head must be a floating-point tensor [out_channels, in_channels "
    "/ groups, rank], got "
)
BASIS = (
    "ValueError: kernel.basis must return (1, 2) of torch.float32 for distances of "
    "(1, 2) in that dtype: [..., rank], with the rank of kernel.head; that of Own "
    "returned "
)
LEARNS = torch.rand(6, 4, 2)
KERNELS = {
    "no head": (lambda: Own(), HEAD + "NoneType; set it in the __init__ of Own"),
    "list": (lambda: Own([[0.5]]), HEAD + "list"),
    "axes": (lambda: Own(LEARNS[0]), HEAD + "torch.float32 of shape (4, 2)"),
    "int": (lambda: Own(LEARNS.long()), HEAD + "torch.int64 of shape (6, 4, 2)"),
    "rank": (lambda: Own(LEARNS, 3), BASIS + "(1, 3) of torch.float32"),
    "dtype": (
        lambda: Own(LEARNS, dtype=torch.float64),
        BASIS + "(1, 2) of torch.float64",
    ),
    "no size": (
        lambda: Own.__new__(Own),
        "TypeError: kernel has no kernel_size; call super().__init__(kernel_size)",
    ),
}


@refusals(KERNELS)
def test_own_kernel(given, expected):
    with refused(expected):
        continuous_conv(IMAGE, given())
    with refused(expected):
        ContinuousConv2d(4, 6, 3, kernel=given())
    good = Own(nn.Parameter(LEARNS.clone()))
    assert ContinuousConv2d(4, 6, 3, kernel=good)(IMAGE).shape == (2, 6, 6, 5)


EMPTY = "ValueError: input must have at least 1 channel, got 0"
CLASSICAL = ["box", "cubic", "gaussian", "lanczos2", "lanczos3", "linear", "sinc"]
KNOWN = f"unknown kernel 'cosine'; choose one of {CLASSICAL} or pass a ContinuousKernel"
CLASS = (
    "kernel must be a ContinuousKernel or the name of a classical kernel, got ABCMeta"
)
SOME = (
    "groups must be 1 or the number of channels for a kernel that all channels share,"
)
BIAS = "bias must have shape (6,), one value per output channel, got (4,)"
GRID = (
    "ValueError: points must be [*out, 2] or [batch, *out, 2] with 2 axes in out, got "
)
EACH = "points must have one grid for each of the 2 images or one for all, got 3"
SCALED = (
    "ValueError: points say where to sample; leave out scale, size, padding, align "
    "and antialias"
)
CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "groups": (
        {"groups": 4},
        "ValueError: groups must divide the kernel's 6 output channels, got 4",
    ),
    "float": ({"groups": 2.0}, "TypeError: groups must be a whole number, got 2.0"),
    "shared": ({"kernel": "cubic", "groups": 2}, "ValueError: " + SOME),
    "name": ({"kernel": "cosine"}, "ValueError: " + KNOWN),
    "class": ({"kernel": CubicKernel}, "TypeError: " + CLASS),
    "no channels": ({"input": IMAGE[:, :0], "kernel": "cubic"}, EMPTY),
    "engine": ({"engine": "warp"}, "ValueError: " + ENGINE),
    "mode": ({"padding_mode": "same"}, "ValueError: " + MODE),
    "bias shape": ({"bias": torch.zeros(4)}, "ValueError: " + BIAS),
    "bias type": (
        {"bias": 0.5},
        "TypeError: bias must be a floating-point tensor, got float",
    ),
    "points type": (
        {"points": [[0.5]]},
        "TypeError: points must be a floating-point tensor, got list",
    ),
    "points dtype": (
        {"points": POINTS.long()},
        "TypeError: points must be a floating-point tensor, got torch.int64",
    ),
    "points shape": ({"points": POINTS[0]}, GRID + "(2, 2)"),
    "points in 3d": ({"points": torch.rand(3, 2, 3)}, GRID + "(3, 2, 3)"),
    "points batch": ({"points": POINTS.expand(3, 3, 2, 2)}, "ValueError: " + EACH),
    "points, scale": ({"points": POINTS, "scale": 2}, SCALED),
    "points, size": ({"points": POINTS, "size": 3}, SCALED),
    "points, antialias": ({"points": POINTS, "antialias": True}, SCALED),
    "64 bits": (
        {"scale": Fraction(2**57 + 1, 2**57)},
        "ValueError: resizing 6 pixels to 7 at a scale of 144115188075855873/"
        "144115188075855872 needs whole numbers beyond 64 bits",
    ),
}


@refusals(CALLS)
def test_call(given, expected):
    arguments = {"input": IMAGE, "kernel": KERNEL} | given
    with refused(expected):
        continuous_conv(**arguments)
    if not {"bias", "engine"} & given.keys():
        with refused(expected):
            explain(**arguments)


DIVERSE = (
    "resize needs a kernel with one input and one output channel, got 4 and 6; use "
)
RANKS = (
    "with the name of a kernel ('cubic'), input must be [batch, channels, ...] with 1 "
)
AXES = (
    "input must be [batch, channels, ...] with 1 more axes of at least 1 pixel for a "
    f"kernel with so many axes, got {tuple(IMAGE.shape)}; for 2 make the LanczosKernel "
    "with ndim=2"
)
RESIZES: dict[str, tuple[dict[str, Any], str]] = {
    "neither": ({"scale": None}, "ValueError: resize needs a scale or a size"),
    "int64": (
        {"input": IMAGE.long()},
        "TypeError: input must be a uint8 tensor or a floating-point one of 16 bits or "
        "more, got torch.int64",
    ),
    "float8": (
        {"input": IMAGE.to(torch.float8_e4m3fn)},
        "TypeError: input must be a uint8 tensor or a floating-point one of 16 bits or "
        "more, got torch.float8_e4m3fn",
    ),
    "array": (
        {"input": IMAGE.numpy()},
        "TypeError: input must be a tensor, got ndarray",
    ),
    "rank": ({"input": IMAGE[0, 0]}, "ValueError: " + RANKS),
    "axes": ({"kernel": LanczosKernel(8, ndim=1)}, "ValueError: " + AXES),
    "window": (
        {"scale": 1e-4, "size": 1000},
        "ValueError: at a scale of 1/10000 the kernel covers 40000 pixels for each of ",
    ),
    "windows": (
        {"scale": 1e-3, "kernel": GaussianKernel([[2.0, 1.0], [1.0, 2.0]])},
        "ValueError: at a scale of 1/1000 x 1/1000 the kernel covers 81009000 pixels ",
    ),
    "align": ({"align": "corner"}, "ValueError: align must be one of ['center', "),
    "channels": ({"kernel": KERNEL}, "ValueError: " + DIVERSE),
    "name": ({"kernel": "cosine"}, "ValueError: " + KNOWN),
    "mode": ({"padding_mode": "same"}, "ValueError: " + MODE),
}


@refusals(RESIZES)
def test_resize(given, expected):
    with refused(expected):
        resize(**{"input": IMAGE, "scale": 2} | given)


ABSURD = "ValueError: an output of 1 x 1 x 1000000000 x 1000000000 needs 3.469 EiB and "
BETWEEN = "ValueError: an output of 1 x 256 x 1000 x 1000 needs 976.6 MiB and 2"


class Allocations(TorchDispatchMode):
    """The elements of the largest tensor that any operation returns."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **kwargs or {})
        if isinstance(out, torch.Tensor):
            self.largest = max(self.largest, out.numel())
        return out


@pytest.mark.parametrize("apply", [continuous_conv, resize])
def test_absurd_output(apply):
    """Refused at once, before anything is allocated."""
    image, kernel = torch.zeros(1, 1, 1000, 1000), CubicKernel()
    with refused(ABSURD), Allocations() as allocations:
        apply(image, kernel=kernel, scale=1e6)
    assert allocations.largest <= image.numel()


@pytest.mark.parametrize("apply", [continuous_conv, resize])
def test_absurd_support(apply):
    """A few pixels under a kernel of millions, of which no table is made."""
    stretched = "antialias at a scale of 1/1000000 stretches the kernel over 4000000 "
    with refused("ValueError: " + stretched + "pixels of an axis that has 6; ask for"):
        apply(IMAGE, kernel="cubic", scale=1e-6, antialias=True)


@pytest.mark.parametrize("name", ["points", "bias", "kernel.head"])
def test_sparse(name):
    kernel = CosineKernel(4, 4, (3, 3))
    given = {"points": torch.ones(3, 3, 2), "bias": torch.ones(4)}
    options: Any = {name: given[name].to_sparse()} if name in given else {}
    if name == "kernel.head":
        kernel.head = torch.nn.Parameter(kernel.head.detach().to_sparse())
    with refused(f"TypeError: {name} must be a dense tensor, got one of layout"):
        continuous_conv(IMAGE, kernel, **options)


def test_absurd_kernel():
    with refused("ValueError: the kernel covers 1000000000 pixels of an axis that"):
        continuous_conv(IMAGE, BoxKernel(10**9), scale=2)


def test_absurd_intermediate_memory():
    """The output is small beside the weights of every pixel that the engine makes."""
    layer = ContinuousConv2d(256, 256, 7, engine="reference")
    image = torch.zeros(1, 1, 1, 1).expand(1, 256, 1000, 1000)
    with refused(BETWEEN), Allocations() as allocations:
        layer(image)
    assert allocations.largest <= image.numel()


def test_nothing_is_lost():
    """The layer works as before after each refusal."""
    before = LAYER(IMAGE)
    for given, expected in INPUTS.values():
        with refused(expected):
            LAYER(given)
    for given, expected in SCALES.values():
        with refused(expected):
            LAYER(IMAGE, scale=given)
    assert torch.equal(LAYER(IMAGE), before)
