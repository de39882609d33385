"""The memory of a whole process, as the operating system counts it."""

import subprocess
import sys

import pytest
import torch

from contconv._runtime.memory import total_memory

CODE = """
from pathlib import Path
import torch
from contconv import ContinuousConv2d

layer = ContinuousConv2d(3, 16, 3, scale=1.37)
with torch.no_grad():
    out = layer(torch.rand(1, 3, 4096, 4096))
assert out.shape == (1, 16, 5612, 5612)
# Not ru_maxrss, which begins with that of the process that started this one.
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_a_large_photograph_takes_less_than_4_gib():
    """An output of 1.9 GiB, and little beside it."""
    total = total_memory(torch.device("cpu"))
    if total is None or total < 6 * 2**30:
        pytest.skip("it needs a machine with 6 GiB")
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert 1.9 < float(run.stdout) < 4
