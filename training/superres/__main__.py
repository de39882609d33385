"""Train a network that enlarges: ``python -m training.superres --out out/run``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from training.__main__ import run
from training.allocator import restart_with_kept_memory
from training.superres.recipe import Recipe

app = App(
    name="python -m training.superres",
    help="Train a network that enlarges photographs by any factor, in one process or, "
    "with torchrun, in many.",
)


@app.default
def train(
    source: str = "bsd400",
    *,
    channels: int = 32,
    blocks: int = 8,
    refine_channels: int = 16,
    out: Path | None = None,
    resume: bool = False,
    weights: Path | None = None,
    recipe: Annotated[Recipe, Parameter(name="*")] = Recipe(),  # noqa: B008
    root: Path | None = None,
    device: str | None = None,
    workers: int = 0,
    tensorboard: bool = False,
    save_every: int = 500,
    log_every: int = 50,
) -> None:
    """Train a network, and test it on photographs that are held out.

    Args:
        source: "bsd400", or the path of a folder or zip archive of photographs.
        channels: Channels of the encoder.
        blocks: Residual blocks of the encoder.
        refine_channels: Channels at the size of the output.
        out: Where log and checkpoints go; nothing is kept unless given.
        resume: Go on from the newest checkpoint there, if there is one.
        weights: Where the trained network goes, for contconv upscale --model.
        recipe: The setting.
        root: The folder that holds a named set.
        device: Where to compute: cpu, cuda, ...; CUDA where there is any unless given.
        workers: Processes that make patches, beside this one.
        tensorboard: Write for TensorBoard, too.
        save_every: Steps from one checkpoint to the next; one comes after each epoch.
        log_every: Steps from one line of the log to the next.
    """
    import torch

    from contconv.models import SuperResolutionNet
    from training import processes
    from training.superres.fit import fit
    from training.superres.photographs import load_photographs

    with processes.started(device) as place:
        photographs = load_photographs(source, root=root)
        torch.manual_seed(recipe.seed)
        model = SuperResolutionNet(channels, blocks, refine_channels=refine_channels)
        fit(
            model,
            photographs,
            recipe,
            folder=out,
            resume=resume,
            device=place,
            workers=workers,
            tensorboard=tensorboard,
            save_every=save_every,
            log_every=log_every,
        )
        if weights and processes.rank() == 0:
            model.save(weights)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(app, arguments)


if __name__ == "__main__":
    restart_with_kept_memory()
    main()
