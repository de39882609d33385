"""The cases and their targets are well formed, and the contenders fit them."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from benchmarks import resizing
from benchmarks.cases import CASES, QUICK, Case
from benchmarks.contenders import able, contenders, make
from benchmarks.growth import AXES, ENLARGING, INPUTS
from benchmarks.peers import Sampled
from benchmarks.targets import ALL, TARGETS, Target

SMALL = [
    Case(2, 4, 12, (0.7, 1.3), 4),
    Case(2, 4, 12, 0.7391, backward=True),
    Case(1, 3, 9, 2.4371, 5, out_channels=2),
    Case(2, 4, 12, "1/2"),
    Case(2, 4, 12, "1/3", 4),
    Case(2, 4, 12, "1/4", 5),
    Case(1, 4, 9, "2"),
    Case(1, 4, 9, "2", 4, backward=True),
    Case(1, 4, 9, "3", 5),
    Case(1, 4, 7, "4", out_channels=2),
    Case(2, 4, 12, 0.7391, dtype="bfloat16"),
]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_contenders_give_the_same_shapes(case):
    image = (case.batch, case.channels, case.size, case.size)
    for name, build in contenders(case).items():
        contender = build()
        out, *gradients = contender()
        assert out.shape == (case.batch, case.outputs, *case.out_size), name
        assert out.dtype == getattr(torch, case.dtype)
        assert len(gradients) == case.backward * (1 + len(contender.parameters))
        if case.backward:
            assert gradients[0].shape == contender.image.shape
        if name == "conv + pixel shuffle":
            assert contender.image.shape[2] == case.size + 1 - case.kernel_size % 2
        elif name != "conv":
            assert contender.image.shape == image


def test_every_contender_takes_part():
    names = {name for case in SMALL for name in able(case)}
    assert names - {"native"} == {
        "conv",
        "interpolate + conv",
        "contconv",
        "new scales",
        "strided conv",
        "transposed conv",
        "conv + pixel shuffle",
        "grid_sample + 1 x 1 conv",
        "periodic",
        "separable",
        "factored",
        "reference",
    }


def test_engines_agree():
    case = SMALL[2]
    outputs = [make(case, name)()[0] for name in ("contconv", "factored", "reference")]
    for out in outputs[1:]:
        torch.testing.assert_close(out, outputs[0])


def test_sampled_is_a_convolution():
    """At scale 1 its taps are pixels: it is `F.conv2d`."""
    module = Sampled(Case(2, 3, 8, "1", out_channels=5))
    image = torch.randn(2, 3, 8, 8)
    expected = F.conv2d(
        image, module.mix.weight.view(5, 3, 3, 3), module.mix.bias, padding=1
    )
    torch.testing.assert_close(module(image), expected)


def test_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES)
    assert set(QUICK) <= set(CASES)
    photos = resizing.PHOTOS
    assert len({photo.name for photo in photos}) == len(photos)
    assert set(resizing.QUICK) <= set(photos)


def test_cases_cover_the_axes():
    assert {1, 16, 128} <= {case.batch for case in CASES}
    assert {3, 16, 64, 256} <= {case.channels for case in CASES}
    assert {3, 4, 5} <= {case.kernel_size for case in CASES}
    assert {16, 512} <= {case.size for case in CASES}
    assert {"float32", "bfloat16"} == {case.dtype for case in CASES}
    assert {True, False} == {case.backward for case in CASES}
    scales = [float(ratio) for case in CASES for ratio in case.ratios]
    assert min(scales) < 0.32 and max(scales) == 4


@pytest.mark.parametrize("target", [*TARGETS.values(), *ALL])
def test_targets_are_well_formed(target):
    assert target.what and target.unit and target.layer in target.over
    assert target.measure in ("ms", "extra")
    steps = target.to_reach, target.first_step
    assert min(steps) > 0
    assert steps == tuple(sorted(steps, reverse=target.faster))
    assert target.verdict([target.to_reach]) == "reached"
    assert target.verdict([target.to_reach, target.first_step]) == "first step"
    much = target.first_step / 2 if target.faster else target.first_step * 2
    assert target.verdict([target.to_reach, much]) == "missed"
    assert target.summary([much, target.to_reach])[2] == much
    assert target.distance(target.to_reach) == 1 < target.distance(much)


def test_cases_belong_to_their_targets():
    assert {case.target for case in CASES if case.target} | {"resize"} == set(TARGETS)
    for case in CASES:
        low, high = min(case.ratios), max(case.ratios)
        if case.target is None:
            continue
        assert (case.dtype == "bfloat16") == case.target.startswith("bfloat16")
        assert case.backward == case.target.endswith("backward")
        if case.target == "small":
            assert max(case.out_size) <= 16 and high < 1
        if case.target.startswith("shrink"):
            channels = int(case.target.split()[1])
            assert case.channels == case.outputs == channels
            assert case.kernel_size == 3 and high < 1
            if "64" in case.target:
                assert (high < 0.5) == case.target.endswith("below 1/2")
        if case.target.startswith("enlarge"):
            start = float(case.target.split()[1])
            bounds = {1.3: (1.3, 2), 2: (2, 3), 3: (3, 4)}[start]
            assert bounds[0] <= low <= high <= bounds[1]
        assert (case.target == "rational") <= isinstance(case.scale, str)


def test_ratio_of_a_target():
    times = {"contconv": {"ms": 3.0}, "conv": {"ms": 2.0, "extra": 0}}
    assert Target("", "conv", 1, 2).ratio(times) == 1.5
    assert Target("", "conv", 1, 2, measure="extra").ratio(times) is None
    assert Target("", "reference", 2, 1, faster=True).ratio(times) is None
    times["reference"] = {"ms": 60.0}
    assert Target("", "reference", 2, 1, faster=True).ratio(times) == 20


def test_growth_compares_equal_outputs():
    for values in AXES.values():
        for case in values.values():
            larger = replace(case, size=dict(INPUTS)[case.size], scale=ENLARGING)
            assert larger.out_size == case.out_size


def test_resizing_contenders_agree():
    """Away from the edges, where one replicates pixels and the other renormalises."""
    for scale in (0.5, 1.7391):
        photo = resizing.Photo(1, 3, 40, 40, scale)
        builds = resizing.contenders(photo).values()
        theirs, ours = (build()()[0] for build in builds)
        assert theirs.shape == ours.shape == (1, 3, *photo.out_size)
        inner = (..., slice(6, -6), slice(6, -6))
        torch.testing.assert_close(theirs[inner], ours[inner], atol=1e-4, rtol=1e-4)
