"""How to train a network that enlarges: the numbers that decide what it becomes."""

import math
from dataclasses import dataclass

from training.recipe import Optimization


@dataclass(frozen=True)
class Recipe(Optimization):
    """The setting of a training.

    Attributes:
        epochs: How often the network is tested, and the log gets a line of PSNR.
        batch_size: Patches a step, of all processes together.
        steps: Steps in all; a multiple of the epochs.
        patch: Pixels of the small patches, along each side.
        scales: The lowest and the highest scale; the large patches are so many times
            as large. Half of the batches have the same scale on both axes.
        whole: Whether all scales are whole numbers, the same on both axes.
        held_out: Photographs that are not learned from but tested on.
        beyond: The share of the batches whose scales lie beyond the highest, up to
            twice as high.
        largest: Pixels of the large patches, along each side, at most: where the scale
            is high, the small patches have fewer pixels for that.
        targets: How many large patches are learned from at once. With more than one,
            the first is at the highest scale in most batches, and the others are it,
            made somewhat smaller: the encoder runs once for all.
        drawn: The share of the patches that show text and line art, drawn here.
        degraded: The share of the small patches that are as pictures come: resized
            before, blurred, with noise, and as JPEGs; the large ones stay clean.
        balanced: Whether the loss at each scale is divided by what cubic resizing errs
            there; else large scales, where errors are large, count most.
        fourier: The weight of the mean absolute error of the patches' spectra, beside
            that of their values.
        ema: The share that a step leaves of the average of the parameters, which is
            tested and kept; 0 for the parameters themselves.
    """

    epochs: int = 20
    batch_size: int = 16
    weight_decay: float = 0.0
    warmup: float = 0.05
    steps: int = 20_000
    patch: int = 32
    scales: tuple[float, float] = (1.0, 4.0)
    whole: bool = False
    held_out: int = 8
    beyond: float = 0.0
    largest: int = 256
    targets: int = 1
    drawn: float = 0.0
    degraded: float = 0.0
    balanced: bool = False
    fourier: float = 0.0
    ema: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "held_out", "targets"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {self.__dict__[name]}"
                )
        if self.steps % self.epochs:
            raise ValueError(
                f"steps must be a multiple of epochs, {self.epochs}, got {self.steps}"
            )
        if self.patch < 8:
            raise ValueError(f"patch must be at least 8 pixels, got {self.patch}")
        self._check_share("beyond", "drawn", "ema", "degraded")
        self._check_finite("fourier")
        for name, least in (("beyond", 0), ("targets", 1)):
            if self.whole and getattr(self, name) > least:
                raise ValueError(
                    f"{name} must be {least} where scales are whole, got "
                    f"{getattr(self, name)}"
                )
        self._check_scales()

    @property
    def highest(self) -> float:
        """The highest scale of all."""
        return self.scales[1] * (2 if self.beyond else 1)

    def _check_scales(self) -> None:
        low, high = self.scales
        if not 1 <= low <= high:
            raise ValueError(
                f"scales must be two of at least 1, the lowest first, got {self.scales}"
            )
        if self.whole and (low % 1 or high % 1):
            raise ValueError(f"scales must be whole numbers, got {self.scales}")
        least = math.ceil(8 * self.highest)
        if self.largest < least:
            raise ValueError(
                f"largest must be at least {least}, 8 small pixels at a scale of "
                f"{self.highest:g}, got {self.largest}"
            )
