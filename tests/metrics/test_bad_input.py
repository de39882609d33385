"""What the metrics refuse, and what they say."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from contconv.metrics import (
    centroid,
    class_consistency,
    drift,
    equivariance,
    fractional_shift,
    same_class,
    shift_equivariance,
)

IMAGES = torch.rand(3, 2, 8, 6)
MAPS, SCORES = (lambda images: images), (lambda images: images.mean((2, 3)))
FLOAT = "TypeError: {} must be a floating-point tensor, got torch.int64; convert it"
SHAPE = "ValueError: images must be [batch, channels, height, width] with at least 1 "
LARGE = "ValueError: max_shift must be less than the height and the width of the images"
SHARED: dict[str, tuple[dict[str, Any], str]] = {
    "images array": ({"images": IMAGES.numpy()}, "TypeError: images must be a tensor"),
    "images dtype": ({"images": IMAGES.long()}, FLOAT.format("images")),
    "images axes": ({"images": IMAGES[0]}, SHAPE + "pixel, got (2, 8, 6)"),
    "no pixels": ({"images": IMAGES[..., :0]}, SHAPE + "pixel, got (3, 2, 8, 0)"),
    "negative": ({"max_shift": -1}, "ValueError: max_shift must be at least 0, got -1"),
    "fraction": (
        {"max_shift": 1.5},
        "TypeError: max_shift must be a whole number, got 1.5 (float)",
    ),
    "bool": ({"max_shift": True}, "TypeError: max_shift must be a whole number"),
    "large": ({"max_shift": 6}, LARGE + ", (8, 6), got 6"),
    "mode": ({"padding_mode": "same"}, "ValueError: unknown padding_mode 'same'; choo"),
}
EQUIVARIANCE: dict[str, tuple[dict[str, Any], str]] = SHARED | {
    "features": (
        {"features": None},
        "TypeError: features must be a function of images, such as a module, got None",
    ),
    "scores": (
        {"features": SCORES},
        "ValueError: feature maps must be [3, d, height, width] for 3 images, got (",
    ),
    "another batch": (
        {"features": lambda images: images[:2]},
        "ValueError: feature maps must be [3, d, height, width] for 3 images, got (2,",
    ),
    "tuple": (
        {"features": lambda images: (images,)},
        "TypeError: feature maps must be a tensor, got tuple",
    ),
    "no room": (
        {"border": 3},
        "ValueError: feature maps must be more than 6 pixels wide for a border of 3, "
        "got (8, 6); pass a smaller border or larger images",
    ),
    "border": ({"border": -1}, "ValueError: border must be at least 0, got -1"),
    "scale": ({"scale": 0}, "ValueError: scale must be positive and finite, got 0"),
}
CONSISTENCY: dict[str, tuple[dict[str, Any], str]] = SHARED | {
    "model": ({"model": "net"}, "TypeError: model must be a function of images, such"),
    "maps": (
        {"model": MAPS},
        "ValueError: scores must be [3, classes] for 3 images, got (3, 2, 8, 6)",
    ),
    "classes": (
        {"model": lambda images: SCORES(images).argmax(1)},
        FLOAT.format("scores"),
    ),
    "nan": (
        {"model": lambda images: SCORES(images) / torch.tensor([[0.0], [1], [0]]) * 0},
        "ValueError: scores must be numbers, got NaN for 2 of 3 images",
    ),
}
FORMS = (
    "ValueError: shift must be a number, a pair (y, x) or a tensor of one pair for each"
    " of the 3 images, got shape "
)
FRACTIONAL: dict[str, tuple[dict[str, Any], str]] = {
    "dtype": ({"images": IMAGES.long()}, FLOAT.format("images")),
    "axes": ({"images": IMAGES[0]}, SHAPE + "pixel, got (2, 8, 6)"),
    "text": (
        {"shift": "1"},
        "TypeError: shift must be a number, a pair (y, x) or a te",
    ),
    "three": (
        {"shift": (1, 2, 3)},
        "ValueError: shift must be one value or one for each of the 2 axes, got 3",
    ),
    "shape": ({"shift": torch.zeros(2, 2)}, FORMS + "(2, 2)"),
    "complex": (
        {"shift": torch.tensor(1j)},
        "TypeError: shift must be real numbers, got torch.complex64",
    ),
    "nan": ({"shift": math.nan}, "ValueError: shift must be finite, got NaN or inf"),
    "inf": ({"shift": torch.tensor([0, math.inf])}, "ValueError: shift must be finite"),
}
MASS = "ValueError: {} must have mass: a sum of pixels that is finite and not zero"
MOVED = {k: v for k, v in EQUIVARIANCE.items() if k not in SHARED} | {
    "images": ({"images": IMAGES[0]}, SHAPE + "pixel, got (2, 8, 6)"),
    "protocol": (
        {"protocol": "cyclic"},
        "ValueError: protocol must be one of 'circular', 'fractional', 'crop', 'paper',"
        " got 'cyclic'",
    ),
    "parts": (
        {"shift": 0.5},
        "ValueError: shift must be of whole pixels for 'paper'; parts of pixels are fo",
    ),
    "far": (
        {"shift": (0, -6)},
        "ValueError: shift must be less than the height and the width of the images",
    ),
    "shape": FRACTIONAL["shape"],
}
SAME = {k: v for k, v in CONSISTENCY.items() if k not in SHARED} | {
    k: MOVED[k] for k in ("images", "protocol", "parts", "far", "shape")
}
CENTROID: dict[str, tuple[dict[str, Any], str]] = {
    "dtype": ({"images": IMAGES.long()}, FLOAT.format("images")),
    "axes": (
        {"images": IMAGES[0, 0, 0]},
        "ValueError: images must be [..., height, width] with at least 1 pixel, got (",
    ),
    "zero": ({"images": 0 * IMAGES}, MASS.format("images")),
    "one zero": ({"images": IMAGES.clone().mul_(IMAGES[0] > 2)}, MASS.format("images")),
    "cancels": (
        {"images": torch.tensor([[0.1, 0.2, -0.3 + 1e-9]])},
        MASS.format("images"),
    ),
    "nan": ({"images": IMAGES / 0 * 0}, MASS.format("images")),
    "inf": ({"images": IMAGES / 0}, MASS.format("images")),
}
DRIFT: dict[str, tuple[dict[str, Any], str]] = {
    "operator": (
        {"operator": 3},
        "TypeError: operator must be a function of images, such as a module, got int",
    ),
    "scale": ({"scale": -1}, "ValueError: scale must be positive and finite, got -1"),
    "steps": ({"steps": -1}, "ValueError: steps must be at least 0, got -1"),
    "batch": (
        {"image": IMAGES},
        "ValueError: image must be a batch of 1 image, got 3",
    ),
    "axes": (
        {"image": IMAGES[0]},
        "ValueError: image must be [batch, channels, height, width] with at least 1 pi",
    ),
    "dtype": ({"image": IMAGES[:1].long()}, FLOAT.format("image")),
    "shrinks": (
        {"operator": lambda image: image[..., 3:]},
        "ValueError: the output of step 2 must be [batch, channels, height, width] ",
    ),
    "vanishes": (
        {"operator": lambda image: 0 * image},
        MASS.format("the output of step 1"),
    ),
}
PAPER = {"protocol": "paper"}
DEFAULTS: dict[Callable[..., Any], dict[str, Any]] = {
    shift_equivariance: {"features": MAPS, "images": IMAGES, "max_shift": 2},
    class_consistency: {"model": SCORES, "images": IMAGES, "max_shift": 2},
    fractional_shift: {"images": IMAGES, "shift": 0.5},
    equivariance: {"features": MAPS, "images": IMAGES, "shift": 1, **PAPER},
    same_class: {"model": SCORES, "images": IMAGES, "shift": 1, **PAPER},
    centroid: {"images": IMAGES},
    drift: {"operator": MAPS, "image": IMAGES[:1], "steps": 2},
}
REFUSALS = {
    f"{metric.__name__}: {name}": (metric, given, expected)
    for metric, cases in zip(
        DEFAULTS,
        [EQUIVARIANCE, CONSISTENCY, FRACTIONAL, MOVED, SAME, CENTROID, DRIFT],
        strict=True,
    )
    for name, (given, expected) in cases.items()
}


@pytest.mark.parametrize("metric, given, expected", REFUSALS.values(), ids=REFUSALS)
def test_bad_input_is_refused(metric, given, expected):
    metric(**DEFAULTS[metric])
    name, message = expected.split(": ", 1)
    error = {"TypeError": TypeError, "ValueError": ValueError}[name]
    with pytest.raises(error, match="^" + re.escape(message)):
        metric(**DEFAULTS[metric] | given)
