"""The networks of a run: which weights enlarge a picture."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch

from contconv.models import SuperResolutionNet
from contconv.models.superres import WeightsError, load
from contconv_cli.errors import SetupError
from contconv_cli.pictures.picture import Picture

# Of JPEGs; below it the weights for photographs as they come are the better ones, as
# experiments/claims/superres_inputs.py measures.
PHOTO_BELOW = 90


@dataclass(frozen=True)
class Networks:
    """The networks that pictures ask for, each loaded when the first one does.

    Attributes:
        model: The name of weights that ship, a file of weights, or ``auto``: for each
            picture ``clean`` or ``photo``.
        device: Where to compute.
        precision: Of what the encoder computes: ``float32``, ``bfloat16``, or ``auto``:
            bfloat16 for 8 bits a colour on a CPU that has matrix units for it.
    """

    model: str
    device: str
    precision: str
    _loaded: dict[str, SuperResolutionNet] = field(default_factory=dict, repr=False)

    def of(self, picture: Picture) -> SuperResolutionNet:
        """The network for a picture.

        Raises:
            SetupError: If it cannot be loaded, or there is no such device.
        """
        name = self._name(picture)
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def remark(self, picture: Picture) -> tuple[str, str] | None:
        """Which weights were taken, and why, where that is not always the same."""
        quality = picture.metadata.jpeg_quality
        if self.model != "auto" or quality is None:
            return None
        return f"{self._name(picture)} weights", f"a JPEG of quality {quality}"

    def computing(self, picture: Picture) -> AbstractContextManager[object]:
        """A context that sets the precision for a picture."""
        wanted = self.precision
        if wanted == "auto":
            coarse = picture.planes.dtype == np.uint8
            suited = self.device == "cpu" and _multiplies_bfloat16()
            wanted = "bfloat16" if coarse and suited else "float32"
        if wanted == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, torch.bfloat16)

    def _name(self, picture: Picture) -> str:
        if self.model != "auto":
            return self.model
        quality = picture.metadata.jpeg_quality
        return "photo" if quality is not None and quality < PHOTO_BELOW else "clean"

    def _load(self, name: str) -> SuperResolutionNet:
        try:
            return load(name, self.device).requires_grad_(False)
        except WeightsError as error:
            raise SetupError(str(error)) from None
        except (AssertionError, RuntimeError) as error:
            line = str(error).partition("\n")[0]
            raise SetupError(f"device {self.device} cannot be used: {line}") from None


def _multiplies_bfloat16() -> bool:
    """Whether the CPU has matrix units for it: AMX."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))
