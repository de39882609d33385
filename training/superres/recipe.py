"""How to train a network that enlarges: the numbers that decide what it becomes."""

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

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("steps", "held_out"):
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
        low, high = self.scales
        if not 1 <= low <= high:
            raise ValueError(
                f"scales must be two of at least 1, the lowest first, got {self.scales}"
            )
        if self.whole and (low % 1 or high % 1):
            raise ValueError(f"scales must be whole numbers, got {self.scales}")
