"""The network of a training on its way: ``python -m training.superres.kept``."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from training.__main__ import run

if TYPE_CHECKING:
    from contconv.models import SuperResolutionNet

app = App(
    name="python -m training.superres.kept",
    help="Write the network of a training that is on its way, or was stopped.",
)


@app.default
def keep(folder: Path, weights: Path) -> None:
    """Write what a training has come to, as its --weights would.

    Args:
        folder: What --out was.
        weights: Where the network goes, for contconv upscale --model.
    """
    net, steps = kept(folder)
    net.save(weights)
    print(f"{weights}: after {steps} steps", file=sys.stderr)


def kept(folder: Path) -> tuple["SuperResolutionNet", int]:
    """The network of a training's newest checkpoint, averaged if it is; and its steps.

    Raises:
        CheckpointError: If there is none, or it is damaged, or of another network.
    """
    from contconv.models import SuperResolutionNet
    from training import checkpoints
    from training.averaging import Average
    from training.optimizers import new_optimizer
    from training.superres.recipe import Recipe

    path = checkpoints.newest(folder) or folder / checkpoints.NEWEST
    tensors, notes = checkpoints.read(path)
    shapes = {
        name.removeprefix("model."): tensor.shape
        for name, tensor in tensors.items()
        if name.startswith("model.")
    }
    net = SuperResolutionNet(**_sizes(shapes, path))
    checkpoints.load_weights(path, net)
    recipe = Recipe(**{k: _plain(v) for k, v in notes["identity"]["recipe"].items()})
    optimizer = new_optimizer(recipe, net)
    checkpoints.set_optimizer(optimizer, tensors)
    Average(optimizer, recipe.ema).apply()
    position = notes["position"]
    return net.eval(), position["epoch"] * position["steps"] + position["step"]


def _sizes(shapes: dict[str, Any], path: Path) -> dict[str, Any]:
    """Channels and blocks, from the shapes of the parameters."""
    from training.errors import CheckpointError

    if not {"encoder.first.weight", "refine.1.weight"} <= shapes.keys():
        raise CheckpointError(f"{path} is of another network than SuperResolutionNet")
    blocks = {
        name.split(".")[2] for name in shapes if name.startswith("encoder.blocks")
    }
    return {
        "channels": shapes["encoder.first.weight"][0],
        "blocks": len(blocks),
        "refine_channels": shapes["refine.1.weight"][1],
    }


def _plain(value: Any) -> Any:
    """Tuples are lists in a checkpoint."""
    return tuple(value) if isinstance(value, list) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(app, arguments)


if __name__ == "__main__":
    main()
