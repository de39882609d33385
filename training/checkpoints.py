"""Checkpoints: everything that is needed to go on, bit for bit.

There are two in a folder, the newest and the one before it. Random numbers need no
place in them: they depend on seed, epoch and step alone.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from contconv._files import hashed_safetensors
from training.errors import CheckpointError
from training.identity import (
    bare,
    network,
    network_differences,
    recipe_differences,
)
from training.progress import Progress

NEWEST, BEFORE = "checkpoint.safetensors", "previous.safetensors"
FORMAT = 1


def newest(folder: Path) -> Path | None:
    """The newest checkpoint of a folder; None if it has none.

    If that was removed, as after damage, it is the one before.
    """
    paths = (folder / NEWEST, folder / BEFORE)
    return next((path for path in paths if path.exists()), None)


def save(
    folder: Path,
    model: nn.Module,
    optimizer: Optimizer,
    position: Progress,
    identity: dict[str, Any],
) -> Path:
    """Write a checkpoint, whole or not at all; the newest one becomes the one before.

    Args:
        folder: Where it goes; made if it is not there.
        model: Its parameters and buffers are saved.
        optimizer: Its state is saved.
        position: How far the training has come.
        identity: What the training is of, as `training.identity.identity` says.

    Returns:
        The file.
    """
    tensors = {f"model.{k}": v for k, v in bare(model).state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
    notes = {"format": FORMAT, "position": asdict(position), "identity": identity}
    path = folder / NEWEST
    hashed_safetensors.write(path, tensors, notes, before=folder / BEFORE)
    return path


def restore(
    folder: Path, model: nn.Module, optimizer: Optimizer, identity: dict[str, Any]
) -> Progress:
    """Set network and optimizer to what the newest checkpoint of a folder holds.

    Args:
        folder: Where it lies.
        model: The network, as it was built when the training began.
        optimizer: As it was built when the training began.
        identity: What this training is of.

    Returns:
        Where to go on.

    Raises:
        CheckpointError: If there is none, or it is damaged, or of another network,
            recipe or data set; network and optimizer are as they were.
    """
    path = newest(folder) or folder / NEWEST
    tensors, notes = read(path)
    saved = notes["identity"]
    _check_network(path, saved, identity)
    if differences := recipe_differences(saved, identity):
        raise CheckpointError(
            f"{path} was made by another recipe: {differences}; resume with the same "
            "one, or train into another folder"
        )
    if saved["data"] != identity["data"]:
        raise CheckpointError(f"{path} was made with other images than these")
    bare(model).load_state_dict(_under("model.", tensors))
    set_optimizer(optimizer, tensors)
    return _position(notes["position"])


def load_weights(path: Path, model: nn.Module) -> nn.Module:
    """Give a network the parameters of a checkpoint.

    Args:
        path: A checkpoint, or the folder of a training, for its newest one.
        model: A network of the same architecture.

    Returns:
        The network.

    Raises:
        CheckpointError: If there is none, or it is damaged, or of another network.
    """
    if path.is_dir():
        path = newest(path) or path / NEWEST
    tensors, notes = read(path)
    _check_network(path, notes["identity"], network(model))
    bare(model).load_state_dict(_under("model.", tensors))
    return model


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint, and its notes: format, position, identity.

    Raises:
        CheckpointError: If there is none, or it is damaged.
    """
    try:
        tensors, notes = hashed_safetensors.read(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except (OSError, hashed_safetensors.DamagedError) as error:
        raise CheckpointError(f"{error}{_way_out(path)}") from None
    if notes.get("format") != FORMAT or not {"identity", "position"} <= notes.keys():
        raise CheckpointError(f"{path} is no checkpoint of a training of this version")
    return tensors, notes


def _way_out(path: Path) -> str:
    """What to do about a damaged checkpoint."""
    before = path.with_name(BEFORE)
    if path.name != NEWEST or not before.exists():
        return ""
    return f"; remove it to go on from the one before it, {before}"


def _check_network(path: Path, saved: dict[str, Any], own: dict[str, Any]) -> None:
    if differences := network_differences(saved, own):
        raise CheckpointError(f"{path} is of another network: {differences}")


def set_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give an optimizer the state that a checkpoint holds."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer.", tensors).items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _position(fields: dict[str, Any]) -> Progress:
    return Progress(**{**fields, "sums": tuple(fields["sums"])})
