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
    start: Path | None = None,
    channels: int | None = None,
    blocks: int | None = None,
    refine_channels: int | None = None,
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
        start: A trained network to begin with, as --weights wrote it.
        channels: Channels of the encoder; those of the network to begin with, or 32,
            unless given.
        blocks: Residual blocks of the encoder; those of the network to begin with, or
            8, unless given. More than it has begin as blocks that change nothing.
        refine_channels: Channels at the size of the output; those of the network to
            begin with, or 16, unless given. More than it has add nothing at first.
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

    from training import processes
    from training.superres.fit import fit
    from training.superres.photographs import load_photographs
    from training.superres.start import beginning

    with processes.started(device) as place:
        photographs = load_photographs(source, root=root)
        torch.manual_seed(recipe.seed)
        model = beginning(start, channels, blocks, refine_channels)
        model = model.to(memory_format=torch.channels_last)  # type: ignore
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
