"""How to train: the numbers that decide what a network becomes."""

import math
from dataclasses import dataclass

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True)
class Optimization:
    """What every training decides.

    Attributes:
        epochs: How often the network is tested: after each epoch.
        batch_size: Images a step, of all processes together.
        optimizer: ``"adamw"``, or ``"sgd"`` with Nesterov's momentum.
        lr: The highest learning rate.
        warmup: The share of all steps in which the learning rate rises, linearly; then
            it falls to zero along a half cosine.
        weight_decay: Of all parameters with two dimensions or more.
        momentum: Of SGD.
        betas: Of AdamW.
        seed: Decides all that is drawn at random.
        amp: Whether the network computes in bfloat16 where that is good enough.
    """

    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "adamw"
    lr: float = 2e-3
    warmup: float = 0.1
    weight_decay: float = 0.05
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.99)
    seed: int = 0
    amp: bool = False

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self._check_finite("lr", "weight_decay")
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
        augment: Whether images are flipped at random, and shifted by up to 4 pixels.
        jitter: The largest relative change of the scales of continuous layers, drawn
            anew for each step; their product and the shape of the output stay.
    """

    label_smoothing: float = 0.0
    augment: bool = True
    jitter: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_finite("jitter")
        self._check_share("label_smoothing")
