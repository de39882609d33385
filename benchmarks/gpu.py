"""On a GPU: which cases, and their times by the device's own clock."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.cases import Case
from benchmarks.ceilings import Ceilings
from benchmarks.contender import Contender
from benchmarks.contenders import able, make
from benchmarks.measure import Times, alternate

# Calls, and how often: gives seconds for each.
Timed = Callable[[Callable[[], object], int], float]

# How far the layer's engines may be apart, over the largest number of the output.
TOLERATED = {"float32": 1e-4, "tf32": 1e-2, "bfloat16": 5e-2}

_ENGINES = ("contconv", "periodic", "fused", "separable", "factored")


@dataclass(frozen=True)
class Device:
    """On what a record was taken, and how."""

    rounds: int
    name: str
    capability: tuple[int, int]
    cuda: str | None
    cudnn: int | None

    @classmethod
    def present(cls, rounds: int) -> "Device":
        """The one that PyTorch takes."""
        name = torch.cuda.get_device_name()
        capability = torch.cuda.get_device_capability()
        cudnn = torch.backends.cudnn.version()
        return cls(rounds, name, capability, torch.version.cuda, cudnn)


@dataclass(frozen=True)
class Job:
    """A case, and how it is run on a GPU."""

    case: Case
    precision: str = "tf32"  # or "float32", or "bfloat16"
    channels_last: bool = True

    @property
    def name(self) -> str:
        """What it is called in the record."""
        layout = "channels-last" if self.channels_last else "planes"
        start = self.case.name.rpartition(", ")[0]
        return f"{start}, {self.precision}, {layout}"

    @property
    def multiply_adds(self) -> int:
        """Those of a convolution of the output's size; backward, twice as many more."""
        case, (height, width) = self.case, self.case.out_size
        each = case.channels * case.outputs * case.kernel_size**2
        return case.batch * each * height * width * (3 if case.backward else 1)


def _jobs(*cases: Case) -> list[Job]:
    return [
        Job(Case(*_arguments(case, precision)), precision)
        for case in cases
        for precision in ("float32", "tf32", "bfloat16")
    ]


def _arguments(case: Case, precision: str) -> tuple[Any, ...]:
    dtype = "bfloat16" if precision == "bfloat16" else "float32"
    shape = case.batch, case.channels, case.size, case.scale, case.kernel_size
    return *shape, case.backward, dtype, case.out_channels


# Sizes that fill a large chip: 10 to 300 billion multiply-adds each.
JOBS = [
    *_jobs(
        Case(16, 64, 256, 0.7391),
        Case(16, 256, 128, 0.7391),
        Case(64, 128, 64, 0.5811),
        Case(16, 64, 256, 0.7391, 4),
        Case(16, 64, 128, 1.7391),
        Case(16, 256, 64, 1.7391),
        Case(8, 64, 96, 3.2173),
        Case(16, 64, 256, "1/2"),
        Case(16, 64, 256, "2/3"),
        Case(16, 64, 128, "2"),
        Case(1, 64, 64, 0.7391),
        Case(16, 64, 256, 0.7391, backward=True),
        Case(16, 256, 128, 0.7391, backward=True),
        Case(16, 64, 128, 1.7391, backward=True),
        Case(16, 64, 256, "1/2", backward=True),
    ),
    Job(Case(16, 64, 256, 0.7391), channels_last=False),
    Job(Case(16, 64, 256, 0.7391, backward=True), channels_last=False),
]
QUICK = [job for job in JOBS if job.case in (JOBS[0].case, JOBS[12].case)]


def event_timed(call: Callable[[], object], repeats: int) -> float:
    """Seconds a call by events on the device's stream, over so many calls."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3 / repeats


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Matrices and convolutions of float32 in TF32, or not: by default they differ."""
    cudnn: Any = torch.backends.cudnn
    switches = torch.backends.cuda.matmul, cudnn.conv
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def measure(
    jobs: Iterable[Job],
    ceilings: Ceilings,
    rounds: int,
    timed: Timed = event_timed,
    device: str = "cuda",
) -> dict[str, Times]:
    """Milliseconds, what they are over the ceilings, and bytes, of each contender.

    Raises:
        AssertionError: If the layer's engines do not agree; then nothing is timed.
    """
    result = {}
    for job in jobs:
        with products_in(job.precision), torch.device(device):
            calls = {name: prepared(job, name) for name in contenders(job)}
            check_agreement(job, calls)
            times = alternate(calls, rounds, least=0.02, timed=timed)
            for name, contender in calls.items():
                times[name] |= achieved(job, contender, times[name]["ms"], ceilings)
                if device == "cuda":
                    times[name]["extra"] = extra_bytes(contender)
        result[job.name] = times
    return result


def contenders(job: Job) -> list[str]:
    """Those of the case, less those whose weights are made for every pixel."""
    return [name for name in able(job.case) if name != "reference"]


def prepared(job: Job, name: str) -> Contender:
    """The contender, in the memory layout of the job."""
    contender = make(job.case, name)
    if job.channels_last:
        layout: Any = torch.channels_last
        contender.image = contender.image.contiguous(memory_format=layout)
        if isinstance(contender.apply, nn.Module):
            contender.apply.to(memory_format=layout)  # type: ignore
    return contender


def check_agreement(job: Job, calls: dict[str, Contender]) -> None:
    """Raise AssertionError if an engine's output or gradients are not the others'."""
    names = [name for name in _ENGINES if name in calls]
    *others, expected = (_results(calls[name]) for name in names)
    for name, results in zip(names, others, strict=False):
        for a, b in zip(results, expected, strict=True):
            error = ((a - b).abs().max() / b.abs().max()).item()
            if not error <= TOLERATED[job.precision]:
                raise AssertionError(
                    f"{job.name}: {name} and {names[-1]} differ by {error:.1e} of the "
                    f"largest number, allowed {TOLERATED[job.precision]:.0e}"
                )


def _results(contender: Contender) -> list[Tensor]:
    """Output and gradients, whose gradient from above is the same for all engines."""
    torch.manual_seed(0)
    return [result.float() for result in contender()]


def achieved(
    job: Job, contender: Contender, ms: float, ceilings: Ceilings
) -> dict[str, float]:
    """TFLOP/s of the convolution's own work, GB/s of reading and writing once."""
    case, (height, width) = job.case, job.case.out_size
    output = case.batch * case.outputs * height * width
    numbers = (contender.image.numel() + output) * (3 if case.backward else 1)
    tflops = 2 * job.multiply_adds / ms / 1e9
    gbytes = numbers * contender.image.element_size() / ms / 1e6
    return {
        "tflops": tflops,
        "of_matmul": tflops / ceilings.tflops[job.precision],
        "gbytes": gbytes,
        "of_copy": gbytes / ceilings.gbytes,
    }


def extra_bytes(contender: Contender) -> int:
    """What a call holds at most, beside its input and its results."""
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    results = contender()
    torch.cuda.synchronize()
    kept = sum(result.untyped_storage().nbytes() for result in results)
    return max(0, torch.cuda.max_memory_allocated() - before - kept)
