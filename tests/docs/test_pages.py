"""What the pages say that no doctest tries."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Any:
    pytest.importorskip("cv2", reason="NOT TRIED: no OpenCV to compare with")
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("_compared")


@pytest.mark.plain
def test_what_equals_what(compared):
    """The page says so of every row of its table."""
    for pair in compared.PAIRS:
        smaller, larger = (
            compared.apart(pair, size, torch.float32)
            for size in compared.SIZES.values()
        )
        assert smaller.inner < 0.01, pair.theirs
        # Two pixels are equally near to some, of which floating point takes either.
        assert larger.inner < 0.01 or "NEAREST" in pair.theirs, pair.theirs
        if torch.uint8 in pair.dtypes:
            found = compared.apart(pair, compared.SIZES["smaller"], torch.uint8)
            assert found.inner <= 1 and found.equal > 0.75, pair.theirs
            exact = pair.theirs.startswith("Pillow")
            assert not exact or found.equal == 1, pair.theirs


@pytest.mark.slow
@pytest.mark.plain
def test_two_processes_learn_the_same():
    """The script of the page on Lightning, DDP and others."""
    script = DOCS / "scripts" / "ddp.py"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    run = subprocess.run(
        [*command, script], capture_output=True, text=True, check=True, timeout=600
    )
    sums = [line.split(": ")[1] for line in run.stdout.splitlines() if ": " in line]
    assert len(sums) == 2 and sums[0] == sums[1]
