"""The classifier whose layers shrink by scales that are learned."""

import pytest

from experiments.shared.shrinking import Classifier, multiply_adds


def test_multiply_adds_are_those_of_the_areas():
    """By hand, over those of layers that keep the size; with a gradient."""
    model = Classifier("priced", (16, 32, 32), (0.5, 1.0, 0.5), learns=True)
    weights, areas = (3 * 16, 16 * 32, 32 * 32), (1 / 4, 1 / 4, 1 / 16)
    expected = sum(w * a for w, a in zip(weights, areas, strict=True)) / sum(weights)
    cost = multiply_adds(model)
    assert cost.item() == pytest.approx(expected)
    cost.backward()
    first = next(p for name, p in model.named_parameters() if "log" in name)
    assert first.grad is not None
    # The area of all that follows grows with the first scale's square.
    assert first.grad.item() == pytest.approx(2 * expected)
