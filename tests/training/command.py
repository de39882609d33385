"""Trainings in processes of their own, to be killed.

They are forked from a server that has imported torch already, which takes seconds.
"""

import multiprocessing
import os
import socket
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from contconv._files import hashed_safetensors
from training import log
from training.checkpoints import NEWEST
from training.data import REPOSITORY

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch._dynamo", "training.loop", __name__])


def start(
    arguments: list[object],
    said: Path,
    environment: dict[str, str] | None = None,
    last: int | None = None,
) -> BaseProcess:
    """Start a training of one thread.

    Args:
        arguments: Of the command.
        said: What it prints.
        environment: Variables.
        last: The step after which it waits for `let_go`, or else to be killed: so that
            the one who kills may be slow.
    """
    texts = list(map(str, arguments))
    process = CONTEXT.Process(
        target=_train, args=(texts, said, environment or {}, last)
    )
    process.start()
    return process


def let_go(said: Path) -> None:
    """Let trainings that wait go on."""
    _sign(said).touch()


def _sign(said: Path) -> Path:
    return said.with_name("go on")


def _wait_after(last: int, sign: Path) -> None:
    """Wait in every line of the log from a step on, for some minutes at most."""
    write = log.JsonLines.write

    def waiting(self: log.JsonLines, kind: str, record: dict[str, Any]) -> None:
        write(self, kind, record)
        for _ in range(200_000):
            if record.get("steps", 0) < last or sign.exists():
                return
            time.sleep(0.005)

    log.JsonLines.write = waiting


def _train(
    arguments: list[str], said: Path, environment: dict[str, str], last: int | None
) -> None:
    if last is not None:
        _wait_after(last, _sign(said))
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.environ.update(environment, COLUMNS="200")
    torch.set_num_threads(1)
    from training.__main__ import main

    main(arguments)


def run(arguments: list[object], said: Path, processes: int = 1) -> str:
    """Run a training to its end; of several processes, as `torchrun` sets them up."""
    environments = _environments(processes) if processes > 1 else [{}]
    started = [start(arguments, said, environment) for environment in environments]
    codes = [ended(process) for process in started]
    assert not any(codes), said.read_text()
    return said.read_text()


def _environments(processes: int) -> list[dict[str, str]]:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    common["WORLD_SIZE"] = str(processes)
    return [
        {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        for rank in range(processes)
    ]


def torchrun(arguments: list[object], module: str = "training") -> str:
    """Run a training in two processes, by `torchrun` itself; what it prints."""
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ended = subprocess.run(
        [sys.executable, "-m", *launcher, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'src'}",
            "OMP_NUM_THREADS": "1",
        },
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def ended(process: BaseProcess) -> int | None:
    """The exit code of a process that ends by itself."""
    process.join()
    return process.exitcode


def wait_for(folder: Path, steps: int, process: BaseProcess) -> None:
    """Wait until a log has come so far."""
    while process.is_alive():
        lines = log.read(folder / log.NAME)
        if lines and lines[-1]["steps"] >= steps:
            return
        time.sleep(0.005)
    raise AssertionError(f"it ended before step {steps}, with {process.exitcode}")


def losses(folder: Path) -> list[tuple[str, int, float]]:
    """Kind, step and loss of each line of a log but the starts."""
    lines = log.read(folder / log.NAME)
    return [(ln["kind"], ln["steps"], ln["loss"]) for ln in lines if "loss" in ln]


def assert_same(folder: Path, other: Path) -> None:
    """Two trainings came to the same, bit for bit, and said the same on their way."""
    own, others = (
        hashed_safetensors.read(place / NEWEST)[0] for place in (folder, other)
    )
    assert own.keys() == others.keys()
    assert all(torch.equal(own[name], others[name]) for name in others)
    assert losses(folder) == losses(other)
