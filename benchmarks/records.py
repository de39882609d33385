"""Records: what an experiment gave, and on what, as JSON."""

import json
import os
import platform
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

REPOSITORY = Path(__file__).parents[1]
FIGURES = REPOSITORY / "docs" / "figures"


def environment() -> dict[str, Any]:
    """The commit, the versions and the machine."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }


def _commit() -> str | None:
    """The commit that is checked out, with a plus if files differ from it."""
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=10"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return run.stdout.strip()


def write(path: Path, config: Any, result: dict[str, Any], seconds: float) -> None:
    """Write a record whole or not at all."""
    record = {
        "config": asdict(config),
        "result": result,
        "seconds": round(seconds, 1),
        **environment(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(partial, path)


def as_json(value: Any) -> Any:
    """As it comes back from a file: tuples are lists there."""
    return json.loads(json.dumps(value))


def read(path: Path) -> dict[str, Any]:
    """The record as it was written."""
    return json.loads(path.read_text())
