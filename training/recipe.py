"""How to train: the numbers that decide what a network becomes."""

import math
from dataclasses import dataclass

OPTIMIZERS = ("adamw", "muon", "sgd")
FLIPS = ("random", "alternating")


@dataclass(frozen=True)
class Optimization:
    """What every training decides.

    Attributes:
        epochs: How often the network is tested: after each epoch.
        batch_size: Images a step, of all processes together.
        optimizer: ``"adamw"``; ``"sgd"`` with Nesterov's momentum; or ``"muon"``, for
            filters, with AdamW for all else.
        lr: The highest learning rate.
        others_lr: With Muon, the learning rate of all else over that of filters.
        basis_lr: The learning rate of what the bases of continuous kernels learn, over
            that of the other parameters.
        warmup: The share of all steps in which the learning rate rises, linearly; then
            it falls to zero along a half cosine.
        weight_decay: Of all parameters with two dimensions or more, but those bases.
        momentum: Of SGD and Muon.
        unit_filters: With Muon, whether filters are brought to the size of orthogonal
            ones before each step, for networks that normalize what filters give.
        betas: Of AdamW.
        seed: Decides all that is drawn at random.
        amp: Whether the network computes in bfloat16 where that is good enough.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    lr: float = 2e-3
    others_lr: float = 0.1
    basis_lr: float = 1.0
    warmup: float = 0.1
    weight_decay: float = 0.05
    momentum: float = 0.9
    unit_filters: bool = False
    betas: tuple[float, float] = (0.9, 0.99)
    seed: int = 0
    amp: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self._check_finite("lr", "others_lr", "basis_lr", "weight_decay")
        self._check_share("warmup", "momentum")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"unknown optimizer {self.optimizer!r}; choose one of {OPTIMIZERS}"
            )

    def _check_finite(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and not negative, got {value}")

    def _check_share(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {value}")


@dataclass(frozen=True)
class Recipe(Optimization):
    """The setting of a classifier's training; an epoch sees every image once.

    Attributes:
        label_smoothing: The share of the target that goes to all classes alike.
        augment: Whether images are flipped, and shifted at random.
        shift: By how many pixels at most.
        flips: Which images are flipped: ``"random"`` ones; or, ``"alternating"``, those
            that were not in the epoch before, a random half in the first.
        whiten: Whether the first convolution begins with the filters that whiten the
            patches of the images, and their negatives.
        test_mirrored: Whether tests take the mean of each image and its mirror image.
        jitter: The largest relative change of the scales of continuous layers, drawn
            anew for each step; their product and the shape of the output stay.
    """

    label_smoothing: float = 0.0
    augment: bool = True
    shift: int = 4
    flips: str = "random"
    whiten: bool = False
    test_mirrored: bool = False
    jitter: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_finite("jitter", "shift")
        self._check_share("label_smoothing")
        if self.flips not in FLIPS:
            raise ValueError(f"unknown flips {self.flips!r}; choose one of {FLIPS}")
