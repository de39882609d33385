"""Scale sequences: exact products, and the shapes that they are named after."""

import math
from fractions import Fraction

import pytest
import torch

from contconv.nn import schedules
from tests.combinations import pairs

OVERALL = [Fraction(1, 4), 0.25, 3, 0.3137, (0.25, 1), (Fraction(2, 7), 1.9), 1]


def exact(overall) -> list[Fraction]:
    both = overall if isinstance(overall, tuple) else (overall, overall)
    return [Fraction(s).limit_denominator(10**6) for s in both]


def make(kind: str, layers: int, overall):
    if kind == "jittered":
        return schedules.jittered(schedules.equal(layers, overall), 0.2)
    return getattr(schedules, kind)(layers, overall)


@pairs(
    kind=["equal", "alternating", "random", "jittered"],
    layers=[2, 3, 7, 20],
    overall=OVERALL,
)
def test_product_is_exact(kind, layers, overall):
    torch.manual_seed(0)
    sequence = make(kind, layers, overall)
    assert len(sequence) == layers
    assert [math.prod(scale[axis] for scale in sequence) for axis in range(2)] == exact(
        overall
    )
    # As the layers want them: no number that could overflow.
    assert max(s.denominator for scale in sequence for s in scale) <= 4 * 10**6


@pytest.mark.parametrize("layers", [1, 6, 13])
def test_equal_is_the_root(layers):
    for scales in schedules.equal(layers, (1 / 4, 5)):
        assert [float(s) for s in scales] == pytest.approx(
            [0.25 ** (1 / layers), 5 ** (1 / layers)], rel=1e-4
        )


@pytest.mark.parametrize("first", [0, 1])
def test_alternating_scales_one_axis_by_turns(first):
    sequence = schedules.alternating(7, Fraction(1, 8), first=first)
    for layer, scales in enumerate(sequence):
        axis = (layer + first) % 2
        count = 4 if axis == first else 3
        assert scales[1 - axis] == 1
        assert float(scales[axis]) == pytest.approx(8 ** (-1 / count), rel=1e-4)


def test_random_is_as_even_as_asked():
    generator = torch.Generator().manual_seed(0)

    def spread(evenness: float) -> float:
        drawn = [
            schedules.random(6, 1 / 4, evenness=evenness, generator=generator)
            for _ in range(200)
        ]
        logs = [math.log(scales[0]) for sequence in drawn for scales in sequence]
        assert sum(logs) / len(logs) == pytest.approx(math.log(1 / 4) / 6)
        mean = math.log(1 / 4) / 6
        return sum((value / mean - 1) ** 2 for value in logs) / len(logs)

    # The relative variance of a share: (layers - 1) / (layers * evenness + 1).
    assert spread(1000) == pytest.approx(5 / 6001, rel=0.2)
    assert spread(4) == pytest.approx(5 / 25, rel=0.2)
    assert spread(1) == pytest.approx(5 / 7, rel=0.25)


def test_axes_are_independent():
    sequence = schedules.random(7, 1 / 4)
    assert any(scales[0] != scales[1] for scales in sequence)
    three = schedules.random(4, (1, 1 / 2, 1 / 4), axes=3)
    assert all(scales[0] == 1 for scales in three)


def test_jitter_is_as_large_as_asked():
    """Uniform logarithms, less their mean over the layers."""
    generator = torch.Generator().manual_seed(0)
    base, changes = schedules.equal(6, 1 / 4), []
    for _ in range(400):
        drawn = schedules.jittered(base, 0.3, generator=generator)
        changes += [math.log(a[0] / b[0]) for a, b in zip(drawn, base, strict=True)]
    width = math.log(1.3)
    assert max(changes) <= 2 * width * 5 / 6 + 1e-4
    variance = sum(change**2 for change in changes) / len(changes)
    assert variance == pytest.approx(width**2 / 3 * 5 / 6, rel=0.1)
    assert schedules.jittered(base, 0) == base


@pytest.mark.parametrize("kind", ["random", "jittered"])
def test_generators_repeat(kind):
    def draw():
        generator = torch.Generator().manual_seed(3)
        if kind == "random":
            return schedules.random(5, 0.3, generator=generator)
        return schedules.jittered([0.5, 0.7], 0.1, generator=generator)

    assert draw() == draw()


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: schedules.equal(0, 0.5), ValueError, "layers must be at least 1"),
        (lambda: schedules.equal(2.5, 0.5), TypeError, "layers must be a whole"),  # type: ignore
        (lambda: schedules.equal(3, -1), ValueError, "scale must be positive"),
        (lambda: schedules.equal(3, (1, 2, 3)), ValueError, "each of the 2 axes"),
        (lambda: schedules.alternating(1, 0.5), ValueError, "at least 2"),
        (lambda: schedules.alternating(3, 0.5, first=2), ValueError, "first must be"),
        (lambda: schedules.random(3, 0.5, evenness=0), ValueError, "evenness must"),
        (lambda: schedules.jittered([0.5], -0.1), ValueError, "amount must be"),
        (lambda: schedules.jittered([0.5], math.nan), ValueError, "amount must be"),
        (lambda: schedules.jittered([], 0.1), ValueError, "at least one scale"),
        (lambda: schedules.jittered(["x"], 0.1), TypeError, "scale must be an int"),  # type: ignore
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
