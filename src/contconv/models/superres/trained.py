"""Trained networks: those that come with the package, and those in files."""

from pathlib import Path

import torch

from contconv._files import network_file
from contconv._files.network_file import WeightsError as WeightsError
from contconv.models.superres.network import SuperResolutionNet

# Trained as docs/superres.md says.
SHIPPED = {
    name: Path(__file__).with_name(f"{name}.safetensors")
    for name in ("clean", "photo", "small")
}


def load(
    weights: str | Path = "clean", device: torch.device | str = "cpu"
) -> SuperResolutionNet:
    """A trained network, ready to enlarge.

    Args:
        weights: Those that come with this package: ``"clean"``, trained on pictures
            that were made small and nothing else; ``"photo"``, on such as were
            JPEGs, noisy or blurred, too; or ``"small"``, as the first, of a network of
            a third of the parameters. Or a file that `SuperResolutionNet.save` wrote;
            ``"./photo"`` is one of that name.
        device: Where to compute.

    Raises:
        ModuleNotFoundError: If safetensors is not installed.
        WeightsError: If the file is missing or damaged, or holds something else.

    Example:
        >>> from contconv.models import superres
        >>> superres.load()(torch.rand(1, 3, 12, 10), scale=2.7).shape
        torch.Size([1, 3, 33, 27])
    """
    if weights == "":
        raise WeightsError(f"weights must be one of {[*SHIPPED]} or a file, got ''")
    known = SHIPPED.get(weights) if isinstance(weights, str) else None
    path = Path(weights) if known is None else known
    arguments, tensors = network_file.read(path, SuperResolutionNet.__name__)
    try:
        net = network_file.filled(lambda: SuperResolutionNet(**arguments), tensors)
    except Exception as error:  # of arguments by hand, whatever it is
        raise WeightsError(f"{path} is of another version: {error}") from None
    return net.eval().to(device)
