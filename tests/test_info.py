"""The command `python -m contconv.info`."""

import platform
import subprocess
import sys
from typing import Any

import pytest
import torch

from contconv import explain
from contconv.engines import ENGINES
from contconv.info import main
from contconv.kernels import CosineKernel, MLPKernel


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "contconv.info", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def meta(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def test_prints_the_explanation():
    options = "1x64x64x64 --scale 0.74 --out-channels 32 --kernel-size 3"
    run = command(*options.split())
    expected = explain(meta(1, 64, 64, 64), CosineKernel(64, 32, (3, 3)), scale=0.74)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{expected}\n", "")


def test_refuses_in_one_line():
    run = command("1x64x64x64", "--scale", "-1")
    expected = "error: scale must be positive and finite, got -1.0\n"
    assert (run.returncode, run.stdout, run.stderr) == (2, "", expected)


MLP = MLPKernel(8, 6, (3, 5), groups=2)
HALF: dict[str, Any] = {"dtype": torch.bfloat16}
GIVEN: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "1x3x9x7 --size 5 --kernel cubic": ((meta(1, 3, 9, 7), "cubic"), {"size": 5}),
    "1x3x9x7 --scale 1/3x2 --kernel box --antialias": (
        (meta(1, 3, 9, 7), "box"),
        {"scale": (1 / 3, 2), "antialias": True},
    ),
    "2x8x9x7 --size 4x5 --kernel mlp --out-channels 6 --groups 2 --kernel-size 3x5 "
    "--padding-mode reflect": (
        (meta(2, 8, 9, 7), MLP),
        {"size": (4, 5), "groups": 2, "padding_mode": "reflect"},
    ),
    "2x8x9 --points 100 --dtype bfloat16": (
        (meta(2, 8, 9, **HALF), CosineKernel(8, 8, (3,), **HALF)),
        {"points": meta(100, 1)},
    ),
    "1x2x5x6x7": ((meta(1, 2, 5, 6, 7), CosineKernel(2, 2, (3, 3, 3))), {}),
    "1x100000x9x9 --kernel-size 9": (
        (meta(1, 10**5, 9, 9), CosineKernel(10**5, 10**5, (9, 9), device="meta")),
        {},
    ),
    "1x64x1000000x1000000": (
        (meta(1, 64, 10**6, 10**6), CosineKernel(64, 64, (3, 3))),
        {},
    ),
}


@pytest.mark.parametrize("line, call", GIVEN.items(), ids=GIVEN)
def test_options(line, call, capsys):
    main(line.split())
    arguments, options = call
    assert capsys.readouterr().out == f"{explain(*arguments, **options)}\n"


def test_no_grad(capsys):
    main(["1x64x3000x3000", "--scale", "0.74", "--kernel", "mlp", "--no-grad"])
    with torch.no_grad():
        kernel = MLPKernel(64, 64, (3, 3))
        expected = explain(meta(1, 64, 3000, 3000), kernel, scale=0.74)
    assert capsys.readouterr().out == f"{expected}\n"
    assert torch.is_grad_enabled()


BAD = {
    "64x64": "input must be batch x channels x 1 to 3 axes, such as 1x64x64x64, got 6",
    "1x2x3x4x5x6": "input must be batch x channels x 1 to 3 axes, such as 1x64x64x64, ",
    "1x0x4x4": "input must be at least 1, got 0",
    "1x4xa": "argument shape: must be whole numbers with an x between them, such as ",
    "1x4x9x9 --scale abc": "argument --scale: must be numbers or ratios with an x ",
    "1x4x9x9 --scale 1/0": "argument --scale: must be numbers or ratios with an x ",
    "1x4x9x9 --scale nan": "scale must be positive and finite, got nan",
    "1x4x9x9 --scale 1x2x3": "scale must be one value or one for each of the 2 axes, ",
    "1x4x9x9 --size 0": "size must be at least 1, got 0",
    "1x4x9x9 --size 2.5": "argument --size: must be whole numbers with an x between ",
    "1x4x9x9 --groups 3": "groups must divide in_channels and out_channels, got group",
    "1x4x9x9 --groups 0": "groups must be at least 1, got 0",
    "1x4x9x9 --groups x": "argument --groups: must be a whole number, such as 4, got ",
    "1x4x9x9 --out-channels 0": "out_channels must be at least 1, got 0",
    "1x4x9x9 --kernel-size 0": "kernel_size must be at least 1, got 0",
    "1x4x9x9 --kernel-size 3x3x3": "kernel_size must be one value or one for each of ",
    "1x4x9x9 --kernel warp": "argument --kernel: invalid choice: 'warp' (choose from ",
    "1x4x9x9 --kernel cubic --kernel-size 3": "kernel 'cubic' has its own kernel_size",
    "1x4x9x9 --kernel cubic --out-channels 3": "kernel 'cubic' has its own kernel_size",
    "1x4x9x9 --points 4x4 --scale 2": "points say where to sample; leave out scale, ",
    "1x4x9x9 --points 4": "points must be [*out, 2] or [batch, *out, 2] with 2 axes ",
    "1x4x9x9 --points 4x0": "points must be at least 1, got 0",
    "1x4x9x9 --padding-mode same": "argument --padding-mode: invalid choice: 'same' ",
    "1x4x9x9 --dtype int8": "argument --dtype: invalid choice: 'int8' (choose from ",
    "1x4x9x9 --warp": "unrecognized arguments: --warp",
    "1x4x9x9 --no": "unrecognized arguments: --no",
    "1x4x9x9 1x4x9x9": "unrecognized arguments: 1x4x9x9",
    "--no-grad": "--no-grad needs the shape of an input, such as 1x64x64x64",
    "99999999999x99999999999x4": "input must have at most 576460752303423488 numbers",
    f"1x4x9x9 --out-channels {10**30}": "the kernel must have at most 57646075230342",
    "1x4x9x9 --dtype float64 --size 9 --kernel-size 1025": "kernel_size must have at ",
    "1x4x9x9 --kernel mlp --kernel-size 99999": "kernel_size must have at most 1048576",
    f"1x4x9x9 --points {10**9}x{10**9}": "points must have at most 576460752303423488",
    f"1x4x9x9 --size {10**30}": "size must be below 2**63, got about 10^30",
}


@pytest.mark.parametrize("line, expected", BAD.items(), ids=BAD)
def test_bad_input(line, expected, capsys):
    with pytest.raises(SystemExit, match=r"^2$"):
        main(line.split())
    out, error = capsys.readouterr()
    assert out == "" and error.startswith(f"error: {expected}")
    assert error.count("\n") == 1 and error.endswith("\n")


def test_without_arguments(capsys):
    main([])
    out = capsys.readouterr().out
    assert f"PyTorch {torch.__version__}, Python {platform.python_version()}\n" in out
    assert f"threads   {torch.get_num_threads()}\n" in out
    for name, engine in ENGINES.items():
        first, last = f"  {name:9}  {engine.__doc__}".splitlines()[0].split(maxsplit=1)
        assert first == name and last in " ".join(out.split())
    assert "What would a convolution cost? python -m contconv.info 1x64" in out


def test_names_other_devices(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Fast One")
    monkeypatch.setattr("contconv.info.total_memory", lambda device: 2**37)
    main([])
    assert "cuda:1    Fast One, 128 GiB of memory\n" in capsys.readouterr().out


def test_help(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "88")
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--help"])
    out = capsys.readouterr().out
    assert "--out-channels N" in out
    for line in out.splitlines():
        assert len(line) <= 88
        if line.startswith("  python -m contconv.info "):
            main(line.split()[3:])
