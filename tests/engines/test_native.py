"""The engine in C++: against Eq. 1 in float64, in every order and instruction set."""

import itertools
import os
import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import Tensor

from contconv import continuous_conv
from contconv._grid.padding import PADDING_MODES
from contconv._runtime.memory_format import is_channels_last
from contconv.engines.native import library, tables
from contconv.functional.call import as_call
from contconv.functional.conv import as_problem
from contconv.kernels import CosineKernel, CubicKernel

if (reason := library.missing()) is not None:
    pytest.skip(f"NOT TESTED: {reason}", allow_module_level=True)

DTYPES = (torch.float32, torch.bfloat16)
ORDERS = {"expand": 0, "contract": 1, "between": 2, "planes": 3}


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def run(image: Tensor, kernel, order: int = -1, **options) -> Tensor:
    """The library's operator, with one order of the steps."""
    kernel = deepcopy(kernel).to(image.dtype)
    call = as_call(image, kernel, **options)
    problem = as_problem(call.image, kernel, call.grid, options.get("groups", 1))
    out = torch.ops.contconv_native.separable(
        *(problem.image, problem.kernel.head.float(), *tables.axis_tables(problem)),
        *(problem.groups, order),
    )
    return out.view(image.shape[0], -1, *call.grid.out_shape)


def expected(image: Tensor, kernel, **options) -> Tensor:
    """Eq. 1 as written, in float64."""
    exact = deepcopy(kernel).double()
    return continuous_conv(image.double(), exact, engine="reference", **options)


def check(image: Tensor, kernel, **options) -> None:
    """All orders agree with Eq. 1, and lie in memory as the image does."""
    correct = expected(image, kernel, **options)
    size = correct.abs().max().item() + 1e-3
    depthwise = tuple(kernel.head.shape[:2]) == (1, 1) or kernel.head.shape[1] == 1 == (
        kernel.head.shape[0] // options.get("groups", 1)
    )
    orders = ORDERS | ({"depthwise": 4} if depthwise and image.ndim < 5 else {})
    for name, order in orders.items():
        out = run(image, kernel, order, **options)
        error = (out - correct).abs().max().item()
        assert error < 1e-5 * size, f"{name}: {error}, where numbers are up to {size}"
    out = continuous_conv(image, kernel, engine="native", **options)
    torch.testing.assert_close(out.double(), correct, rtol=1e-5, atol=1e-5 * size)
    assert is_channels_last(out) == is_channels_last(correct)


CHANNELS = [(4, 6), (16, 32), (35, 50), (1, 3), (64, 1)]


@pytest.mark.parametrize("shape", [(23,), (9, 13), (3, 7, 6)], ids=str)
@pytest.mark.parametrize("channels", CHANNELS, ids=str)
def test_channels_and_dimensions(shape, channels):
    """A tail of channels is not a vector's garbage; each axis has a rank of its own."""
    ndim = len(shape)
    frequencies = (2, 5, 3)[:ndim]
    kernel = CosineKernel(
        channels[0], channels[1], (3, 4, 2)[:ndim], frequencies=frequencies
    )
    for scale in (0.7391, 1.3177, 3.2):
        check(torch.randn(2, channels[0], *shape), kernel, scale=scale)


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("antialias", [False, True])
def test_padding_ties_and_wide_supports(mode, antialias):
    """At 1 and 2 pixels lie on edges; below 1, antialias takes dozens of taps."""
    kernel = CosineKernel(3, 5, (4, 3))
    image = torch.randn(1, 3, 11, 20)
    for scale in (1, 2, 0.5, 0.13, (0.3, 2.9), (2.9, 0.3)):
        check(image, kernel, scale=scale, padding_mode=mode, antialias=antialias)
    check(image, kernel, scale=(0.7, 1.4), size=(30, 9), padding_mode=mode)
    check(image, kernel, scale=0.5, padding=1, padding_mode=mode)
    check(image, kernel, scale=0.7391, align="edge", padding_mode=mode)


@pytest.mark.parametrize("groups", [2, 6, 24])
def test_groups(groups):
    """Some channels in each; one in, one out; one in, two out."""
    for out_channels in (24, 48):
        kernel = CosineKernel(24, out_channels, (3, 3), groups=groups)
        for form in (torch.contiguous_format, torch.channels_last):
            image = torch.randn(2, 24, 9, 20).contiguous(memory_format=form)
            for scale in (0.7391, 1.6):
                check(image, kernel, scale=scale, groups=groups)


def test_one_filter_for_every_channel():
    image = torch.randn(2, 3, 14, 40)
    for form in (torch.contiguous_format, torch.channels_last):
        check(image.contiguous(memory_format=form), CubicKernel(), scale=(0.4, 1.7))


def odd_inputs() -> dict[str, Tensor]:
    """Inputs that are no plain images."""
    image = torch.randn(2, 20, 9, 22)
    return {
        "channels-last": image.contiguous(memory_format=torch.channels_last),
        "every second": torch.randn(2, 20, 18, 44)[:, :, ::2, ::2],
        "turned": torch.randn(22, 9, 20, 2).permute(3, 2, 1, 0),
        "expanded": torch.randn(1, 20, 1, 22).expand(3, 20, 9, 22),
        "one pixel": torch.randn(1, 20, 1, 1),
        "last of a storage": image[1:],
    }


@pytest.mark.parametrize("name", odd_inputs())
def test_strides(name):
    image = odd_inputs()[name]
    check(image, CosineKernel(20, 18, (3, 3)), scale=0.7391)
    check(image, CosineKernel(20, 18, (3, 3)), scale=2.3)


def test_nothing_and_no_batch():
    kernel = CosineKernel(3, 5, (3, 3))
    none = continuous_conv(torch.zeros(0, 3, 8, 8), kernel, scale=2, engine="native")
    assert none.shape == (0, 5, 16, 16)
    image = torch.randn(3, 8, 9)
    out = continuous_conv(image, kernel, scale=0.7, engine="native")
    assert torch.equal(out, run(image[None], kernel, scale=0.7)[0])


@pytest.mark.parametrize("channels", [(64, 64), (3, 16), (16, 3), (37, 50)], ids=str)
@pytest.mark.parametrize("scale", [0.7391, 1.4, 2.7])
def test_bfloat16_is_as_close_as_its_own_rounding(channels, scale):
    kernel = CosineKernel(channels[0], channels[1], (3, 3), dtype=torch.bfloat16)
    image = torch.randn(1, channels[0], 20, 33, dtype=torch.bfloat16)
    correct = expected(image, kernel, scale=scale)
    reference = continuous_conv(image, kernel, scale=scale, engine="reference")
    out = continuous_conv(image, kernel, scale=scale, engine="native")
    assert out.dtype == torch.bfloat16
    most = 2 * (reference - correct).norm() + 1e-3 * correct.norm()
    assert (out - correct).norm() < most


def test_autocast_and_float16():
    kernel, image = CosineKernel(8, 8, (3, 3)), torch.randn(1, 8, 12, 12)
    correct = expected(image, kernel, scale=0.7)
    with torch.autocast("cpu", torch.bfloat16):
        out = continuous_conv(image, kernel, scale=0.7, engine="native")
    assert out.dtype == torch.bfloat16
    assert (out - correct).norm() < 1e-2 * correct.norm()
    out = continuous_conv(image.half(), kernel.half(), scale=0.7, engine="native")
    assert out.dtype == torch.float16
    assert (out - correct).norm() < 2e-3 * correct.norm()


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_no_number_reaches_what_the_kernel_touches(order, value, dtype):
    """Not its neighbors in a tile, nor by taps of weight 0 outside of the image."""
    for mode, scale in itertools.product(("zeros", "reflect"), (0.7391, 1, 2.3)):
        kernel = CosineKernel(20, 18, (4, 3))
        for y, x in ((0, 0), (4, 11), (8, 21)):
            ones = torch.zeros(1, 20, 9, 22)
            ones[:, 7, y, x] = 1
            options = {"scale": scale, "padding_mode": mode}
            box = torch.ones_like(kernel.head)
            # Where the support of some output holds the pixel, a weight is not zero.
            probe = CosineKernel(20, 18, (4, 3), frequencies=1)
            probe.head.copy_(box[..., :1])
            touched = expected(ones, probe, **options) != 0
            image = torch.randn(1, 20, 9, 22, dtype=dtype)
            image[:, 7, y, x] = value
            out = run(image, kernel, order, **options)
            assert torch.equal(~out.isfinite(), touched)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_bit_is_the_same_with_any_threads(order, dtype):
    kernel = CosineKernel(20, 34, (3, 3))
    threads = torch.get_num_threads()
    for batch, scale in itertools.product((1, 3), (0.7391, 1.4)):
        image = torch.randn(batch, 20, 40, 37, dtype=dtype)
        torch.set_num_threads(1)
        first = run(image, kernel, order, scale=scale)
        try:
            for count in (2, 3, 5, 8, 17):
                torch.set_num_threads(count)
                assert torch.equal(run(image, kernel, order, scale=scale), first)
        finally:
            torch.set_num_threads(threads)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_crop_is_the_whole_in_every_bit(dtype):
    """What lies beside a pixel in a tile does not change how it is summed."""
    kernel = CosineKernel(8, 33, (3, 3))
    image = torch.randn(1, 8, 30, 50, dtype=dtype)
    whole = run(image, kernel, scale=1)
    for begin in range(1, 20):
        part = run(image[..., begin - 1 : begin + 24], kernel, scale=1)
        assert torch.equal(part[..., 1:20], whole[..., begin : begin + 19])


def test_every_instruction_set():
    """Each in a process of its own; the last tests run with the best of them alone."""
    import contconv_native

    variable, run_here = contconv_native.VARIABLE, contconv_native.instruction_set()
    if os.environ.get(variable):
        pytest.skip("runs within itself")
    names = contconv_native.compiled_sets()
    assert run_here in names
    for name in names:
        environment = {**os.environ, variable: name}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [
                *command,
                __file__,
                "-k",
                "test_strides or test_groups or 0.7391-channels",
            ],
            env=environment,
            capture_output=True,
            text=True,
        )
        if "this CPU lacks it" not in done.stdout + done.stderr:
            assert done.returncode == 0, f"{name}:\n{done.stdout[-3000:]}"


@pytest.mark.parametrize("name, why", [("avx1024", "there are"), ("", None)])
def test_an_unknown_instruction_set_is_a_warning(name, why):
    code = (
        "import torch, warnings; from contconv import continuous_conv\n"
        "warnings.simplefilter('always')\n"
        "for _ in range(2): continuous_conv(torch.ones(1, 1, 4, 4), 'cubic', scale=2)"
    )
    environment = {**os.environ, "CONTCONV_NATIVE_ISA": name}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0
    if why is None:
        assert "UserWarning" not in done.stderr
    else:
        assert done.stderr.count("UserWarning") == 1 and why in done.stderr


def test_refusals():
    kernel = CosineKernel(3, 3, (3, 3))
    image = torch.randn(1, 3, 8, 8)

    def refused(*args, **options) -> str:
        with pytest.raises(ValueError, match="engine 'native' cannot") as caught:
            continuous_conv(*args, engine="native", **options)
        return str(caught.value)

    assert "float32" in refused(image.double(), deepcopy(kernel).double(), scale=2)


def test_the_operator_refuses_what_would_read_outside():
    """Whoever calls it: an error, not a crash."""
    kernel = CosineKernel(3, 5, (3, 3))
    image = torch.randn(1, 3, 8, 8)
    call = as_call(image, kernel, scale=2)
    made = tables.axis_tables(as_problem(image, kernel, call.grid, 1))
    good = [image, kernel.head, *made, 1, -1]
    torch.ops.contconv_native.separable(*good)
    far, behind = made[2].clone(), made[2].clone()
    far[3, 1], behind[3, 0] = 8, -1
    bad = {
        1: kernel.head[:4].contiguous().expand(4, 3, 9)[:, :2],
        2: torch.zeros(1, 1, dtype=torch.int64),
        3: torch.ones(2, 1, 1),
        4: far,
        5: made[5][:, :, :2].contiguous(),
        6: behind,
        8: 2,
        9: 4,
    }
    for position, value in bad.items():
        arguments = [*good[:position], value, *good[position + 1 :]]
        with pytest.raises(RuntimeError, match="contconv_native"):
            torch.ops.contconv_native.separable(*arguments)
