"""Activations at a finer sampling by the library in C++, against float64."""

import itertools
from copy import deepcopy as copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from contconv._grid.padding import PADDING_MODES
from contconv.engines.native.library import missing
from contconv.nn import AliasFree

if missing() is not None:
    pytest.skip(f"NOT TESTED: {missing()}", allow_module_level=True)

from tests.instruction_sets import instruction_set as instruction_set
from tests.instruction_sets import threads as threads

ACTIVATIONS = {
    "relu": nn.ReLU(),
    "leaky": nn.LeakyReLU(0.3),
    "gelu": nn.GELU(),
    "gelu, tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "tanh": nn.Tanh(),
    "sigmoid": nn.Sigmoid(),
}

# Less than the kernels are wide, and more; channels that fill vectors, and do not.
SHAPES = [(2, 3, 9), (3, 16, 1), (1, 20, 33, 40), (2, 17, 1, 3), (2, 16, 24, 5)]


def is_in_library(out: Tensor) -> bool:
    return type(out.grad_fn).__name__ == "_FinerBackward"


def found(layer: AliasFree, input: Tensor, probe: Tensor) -> list[Tensor]:
    """The output and its gradient, which is the same where graphs are recorded."""
    torch.manual_seed(1)
    own = input.clone().requires_grad_()
    out = layer(own)
    assert is_in_library(out) == (input.dtype != torch.float64)
    (plain,) = torch.autograd.grad(out, own, probe, retain_graph=True)
    (graph,) = torch.autograd.grad(out, own, probe, create_graph=True)
    torch.testing.assert_close(graph, plain)
    return [out, plain]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_agrees_with_float64(name, instruction_set):
    torch.manual_seed(0)
    for i, (shape, last) in enumerate(itertools.product(SHAPES, (False, True))):
        input, probe = 3 * torch.randn(shape), torch.randn(shape)
        mode = PADDING_MODES[(i + len(name)) % 5]
        up, ndim = 2 + last, len(shape) - 2
        layer = AliasFree(ACTIVATIONS[name], up, ndim=ndim, padding_mode=mode)
        truth = found(layer, input.double(), probe.double())
        if last:
            input = input.movedim(1, -1).contiguous().movedim(-1, 1)
        out = found(layer, input, probe)
        if len(shape) == 4 and last:
            form = torch.channels_last
            assert all(one.is_contiguous(memory_format=form) for one in out)
        for one, expected in zip(out, truth, strict=True):
            torch.testing.assert_close(one.double(), expected, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_agrees_at_every_padding(mode):
    """An activation that makes something of the zeros outside, too."""
    for shape in SHAPES:
        layer = AliasFree(nn.Sigmoid(), ndim=len(shape) - 2, padding_mode=mode)
        input, probe = torch.randn(shape), torch.randn(shape)
        truth = found(layer, input.double(), probe.double())
        for one, expected in zip(found(layer, input, probe), truth, strict=True):
            torch.testing.assert_close(one.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_as_exact_as_the_operators(name):
    """Near zero, and far from it, where exponentials over- or underflow."""
    by_operators = copy(ACTIVATIONS[name])
    by_operators.register_forward_hook(lambda *given: None)
    for size in (1e-6, 1e-2, 30, 300):
        input = size * torch.randn(1, 16, 12, 12)
        truth = AliasFree(by_operators)(input.double())
        errors = [
            (AliasFree(act)(input) - truth).abs().max()
            for act in (ACTIVATIONS[name], by_operators)
        ]
        assert errors[0] <= 3 * errors[1] + 2e-7 * truth.abs().max(), size


def test_low_precision():
    input = torch.randn(2, 24, 17, 9)
    for dtype, error in ((torch.bfloat16, 2**-8), (torch.float16, 2**-11)):
        rounded = input.to(dtype)
        own = rounded.clone().requires_grad_()
        out = AliasFree(nn.GELU())(own)
        assert out.dtype == dtype and is_in_library(out)
        expected = AliasFree(nn.GELU())(rounded.double())
        torch.testing.assert_close(out.double(), expected, rtol=error, atol=1e-5)
        out.sum().backward()
        assert own.grad is not None and own.grad.dtype == dtype


def test_bits_do_not_depend_on_threads_or_on_the_batch(threads):
    input, probe = torch.randn(3, 5, 23, 19), torch.randn(3, 5, 23, 19)
    layer, outs = AliasFree(nn.ReLU(), padding_mode="circular"), []
    for count in (1, 2, 5, 40):
        torch.set_num_threads(count)
        outs.append(found(layer, input, probe))
        outs.append(
            [
                torch.cat(one)
                for one in zip(
                    *(
                        found(layer, input[i : i + 1], probe[i : i + 1])
                        for i in range(3)
                    ),
                    strict=True,
                )
            ]
        )
    for one in outs[1:]:
        assert all(map(torch.equal, one, outs[0]))


def test_what_is_no_number_stays_near():
    input = torch.randn(1, 2, 40, 40)
    input[0, 0, 20, 11] = torch.nan
    out = AliasFree(nn.ReLU())(input)
    expected = AliasFree(nn.ReLU())(input.double())
    assert torch.equal(out.isnan(), expected.isnan())
    assert 0 < out.isnan().sum() < 800


def test_images_that_are_parts_of_others():
    whole = torch.randn(2, 20, 30, 30)
    part = whole[:, 1:18:2, 3:25, 2::3].requires_grad_()
    layer = AliasFree(nn.SiLU())
    torch.testing.assert_close(layer(part), layer(part.contiguous()))
    broad = torch.randn(1).expand(2, 9, 22, 10)
    grads = [torch.autograd.grad(layer(part), part, g) for g in (broad, broad.clone())]
    torch.testing.assert_close(*grads)


def test_what_the_library_does_not_know_goes_by_operators():
    """Other activations, and those that someone looks at: hooks are called."""
    input = torch.randn(1, 4, 8, 8, requires_grad=True)
    seen: list[Any] = []
    watched = nn.ReLU()
    watched.register_forward_hook(lambda module, args, out: seen.append(out))
    replaced = nn.ReLU()
    replaced.forward = torch.abs  # type: ignore

    class Own(nn.ReLU):
        def forward(self, input: Tensor) -> Tensor:
            return input.abs()

    for act in (watched, replaced, Own(), torch.abs, nn.GELU("tanh").forward):
        assert not is_in_library(AliasFree(act)(input))
    assert seen and seen[0].shape == (1, 4, 16, 16)
    torch.testing.assert_close(AliasFree(replaced)(input), AliasFree(torch.abs)(input))
    assert is_in_library(AliasFree(torch.relu)(input))
    assert is_in_library(AliasFree(F.silu)(input))
