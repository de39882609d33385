"""Train a classifier: ``python -m training cifar10 --out out/run``."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.config import Toml

from training.allocator import restart_with_kept_memory
from training.errors import CheckpointError, DataError
from training.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from training.images import ImageSets

SIDE = 32
RECIPES = Path(__file__).parent / "recipes"
REFUSALS = (
    CheckpointError,
    DataError,
    FloatingPointError,
    ModuleNotFoundError,
    ValueError,
)

app = App(
    name="python -m training",
    help="Train a classifier of small images, in one process or, with torchrun, in "
    "many.",
)


@app.default
def train(
    source: str,
    *,
    model: Literal["ccnet", "baseline"] = "ccnet",
    kernel: Literal["spline", "cosine", "mlp"] = "spline",
    channels: int = 32,
    norm: Literal["batch"] | None = None,
    out: Path | None = None,
    resume: bool = False,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008
    root: Path | None = None,
    cache: Path | None = None,
    device: str | None = None,
    tensorboard: bool = False,
    save_every: int = 500,
    log_every: int = 50,
) -> None:
    """Train a network, and test it after every epoch.

    Args:
        source: "cifar10", "fashion-mnist", or the path of a set of images.
        model: The paper's network of continuous convolutions, or of ordinary ones.
        kernel: The kernel of the continuous layers.
        channels: Channels of every convolution.
        norm: Normalization after each convolution; none unless given.
        out: Where log and checkpoints go; nothing is kept unless given.
        resume: Go on from the newest checkpoint there, if there is one.
        recipe: The setting.
        root: The folder that holds a named set.
        cache: Where decoded images are kept; out/data beside this package unless given.
        device: Where to compute: cpu, cuda, ...; CUDA where there is any unless given.
        tensorboard: Write for TensorBoard, too.
        save_every: Steps from one checkpoint to the next; one comes after each epoch.
        log_every: Steps from one line of the log to the next.
    """
    import torch

    from training import processes
    from training.data import CACHE, load_images, padded
    from training.loop import fit

    with processes.started(device) as place:
        with processes.first_alone():
            sets = padded(load_images(source, root=root, cache=cache or CACHE), SIDE)
        torch.manual_seed(recipe.seed)
        fit(
            network(model, kernel, channels, sets, norm),
            sets,
            recipe,
            folder=out,
            resume=resume,
            device=place,
            tensorboard=tensorboard,
            save_every=save_every,
            log_every=log_every,
        )


@app.meta.default
def with_recipe(
    *options: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    recipe: str | None = None,
) -> None:
    """Train with the settings of a file, where the options do not say otherwise.

    Args:
        options: Those of `train`.
        recipe: "paper" (SGD, no normalization), "modern" (batch normalization, Muon,
            whitened images), or a TOML file with options by their names.
    """
    if recipe is not None:
        path = RECIPES / f"{recipe}.toml"
        path = path if path.exists() else Path(recipe)
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.toml")))
            raise ValueError(
                f"recipe must be one of {known}, or a TOML file, got {recipe!r}"
            )
        app.config = Toml(path, use_commands_as_keys=False)
    app(options)


def network(
    model: str,
    kernel: str,
    channels: int,
    sets: "ImageSets",
    norm: str | None = None,
) -> "nn.Module":
    """A new network for these images.

    Raises:
        DataError: If they are larger than the networks take.
    """
    from contconv.models.cifar import BaselineNet, CCNet

    colours, *size = sets.train.images.shape[1:]
    if size != [SIDE, SIDE]:
        raise DataError(
            f"the images have {size[0]} x {size[1]} pixels; these networks take "
            f"{SIDE} x {SIDE}, or less"
        )
    options = {"in_channels": colours, "classes": len(sets.classes), "norm": norm}
    if model == "baseline":
        return BaselineNet(channels, **options)
    return CCNet(channels, kernel=kernel, **options)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    app.config = ()
    run(app.meta, arguments)


def run(command: App, arguments: Sequence[str] | None) -> None:
    """Run a command; what is wrong with it or with files is one clear line."""
    try:
        command(arguments)
    except REFUSALS as error:
        sys.exit(str(error))
    except SystemExit as stop:
        if not stop.code and "LOCAL_RANK" in os.environ:
            from training.processes import leave  # with torch: --help does without

            leave()
        raise


if __name__ == "__main__":
    restart_with_kept_memory()
    main()
