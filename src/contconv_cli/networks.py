"""The networks of a run: which weights enlarge a picture."""

from dataclasses import dataclass, field

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
    """

    model: str
    device: str
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
