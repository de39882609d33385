"""Plans: what is kept of a call never answers for another one."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from contconv import ContinuousConv2d, continuous_conv
from contconv._runtime import cache
from contconv._runtime.memory_format import is_channels_last
from contconv.engines.native.library import missing
from contconv.functional import plan as plans
from contconv.kernels import CosineKernel

if (reason := missing()) is not None:
    pytest.skip(f"NOT TESTED: {reason}", allow_module_level=True)


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(cache, "_kept", cache._Entries())
    return cache._kept


@pytest.fixture
def made(monkeypatch) -> list[Any]:
    """The plans that are made, one by one."""
    made: list[Any] = []
    tables = plans.axis_tables  # type: ignore
    monkeypatch.setattr(plans, "axis_tables", lambda p: made.append(p) or tables(p))
    return made


KERNEL = CosineKernel(2, 3, (3, 3))
IMAGE = torch.rand(1, 2, 8, 6)
BIAS = torch.rand(3)


def call(image: Any = IMAGE, kernel: Any = KERNEL, **options: Any) -> Tensor:
    return continuous_conv(image, kernel, **{"scale": 1, "bias": BIAS, **options})


class Loud(Tensor):
    """A tensor that does something else."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError("was asked")


# What differs from a call that was planned, and the error that it deserves.
WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a bool for a scale": (lambda: call(scale=True), "scale must be an int"),
    "a bool for groups": (lambda: call(groups=True), "groups must be a whole"),
    "a bool for a size": (lambda: call(size=True), "size must be a whole"),
    "within a sequence": (lambda: call(scale=[1, True]), "scale must be an int"),
    "groups": (lambda: call(groups=1.0), "groups must be a whole number"),
    "antialias and points": (
        lambda: call(points=torch.zeros(4, 2), scale=None, antialias=True),
        "leave out scale",
    ),
    "dtype of the image": (lambda: call(IMAGE.double()), "but the kernel has"),
    "dtype of the bias": (lambda: call(bias=BIAS.double()), "but the bias has"),
    "size of the bias": (lambda: call(bias=BIAS[:2]), "bias must have shape"),
    "kind of the bias": (lambda: call(bias=[0.0] * 3), "bias must be a"),
    "kernel": (lambda: call(kernel=KERNEL.head), "kernel must be a"),
    "channels": (lambda: call(IMAGE[:, :1]), "input must have 2 channels"),
    "padding mode": (lambda: call(padding_mode="zero"), "padding_mode"),
    "engine": (lambda: call(engine="natives"), "unknown engine"),
    "align": (lambda: call(align="centre"), "align must be one of"),
    "a tensor of its own class": (lambda: call(IMAGE.as_subclass(Loud)), "was asked"),
}


@pytest.mark.plain
@pytest.mark.parametrize("wrong, error", WRONG.values(), ids=WRONG)
def test_bad_input_is_refused_after_a_good_one(wrong, error, kept):
    for options in ({}, {"scale": (1, 1)}, {"size": 1}, {"groups": 1}):
        call(**options)
    assert kept.entries
    with pytest.raises((TypeError, ValueError, RuntimeError), match=error):
        wrong()


OTHERS: dict[str, dict[str, Any]] = {
    "scale": {"scale": Fraction(3, 4)},
    "axes": {"scale": (0.5, 1.5)},
    "size": {"size": (5, 9)},
    "padding": {"padding": 1, "scale": 0.5},
    "padding mode": {"padding_mode": "reflect"},
    "align": {"align": "edge", "scale": 0.7},
    "antialias": {"antialias": True, "scale": 0.5},
    "no bias": {"bias": None},
    "unbatched": {"image": IMAGE[0]},
    "larger": {"image": torch.rand(2, 2, 9, 7)},
    "channels-last": {"image": IMAGE.to(memory_format=torch.channels_last)},
    "more frequencies": {"kernel": CosineKernel(2, 3, (3, 3), frequencies=2)},
    "wider": {"kernel": CosineKernel(2, 3, (4, 3))},
    "one for all": {"kernel": "cubic", "bias": None},
}


def test_every_argument_counts(made):
    """Once to plan, once as planned: always what the formula says, in its layout."""
    for name, options in [("first", {}), *OTHERS.items()] * 2:
        expected, actual = call(**options, engine="reference"), call(**options)
        assert is_channels_last(actual) == is_channels_last(expected), name
        torch.testing.assert_close(actual, expected, msg=name)
    assert 0 < len(made) <= 1 + len(OTHERS)


def test_a_second_call_plans_nothing(made):
    layer = ContinuousConv2d(2, 3, 3, scale=0.7)
    for _ in range(3):
        layer(IMAGE)
        with torch.no_grad(), torch.inference_mode():
            layer(IMAGE)
    assert len(made) == 1
    layer(IMAGE).sum().backward()
    assert layer.kernel.head.grad is not None and layer.kernel.head.grad.any()


def test_autocast_counts(made):
    for _ in range(2):
        assert call().dtype == torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            assert call().dtype == torch.bfloat16
    assert len(made) == 2


def test_numbers_of_the_head_are_looked_at_each_time():
    """Also where they are written behind autograd's back, or the head is another."""
    kernel = CosineKernel(2, 3, (3, 3))
    with torch.no_grad():
        for change in (
            lambda: kernel.head.data.mul_(2),
            lambda: setattr(kernel, "head", nn.Parameter(torch.rand(3, 2, 9))),
            lambda: setattr(kernel, "head", nn.Parameter(torch.rand(6, 2, 9)[::2])),
        ):
            call(kernel=kernel)
            change()
            expected = call(kernel=kernel, engine="reference")
            torch.testing.assert_close(call(kernel=kernel), expected)


def test_one_that_does_not_fit_is_not_kept(kept, monkeypatch):
    monkeypatch.setattr(cache, "LARGEST", 100)
    call(size=200)
    assert not [key for key in kept.entries if "plan" in key]
