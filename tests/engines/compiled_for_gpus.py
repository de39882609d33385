"""What the kernels of the fused engine become on sm_80 and sm_90, without a GPU.

``python -m tests.engines.compiled_for_gpus NAME`` prints a line of JSON for each
compilation. The arguments are those of the launchers; some launches are tried with all
their tiles.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

ARCHITECTURES = (80, 90)
TYPES = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.int32: "*i32",
    torch.int64: "*i64",
}

# Name of a launch: the module, the kernel, and what is asked of it.
LAUNCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "forward": ("forward", {"tiles": slice(None)}),
    "forward, one table": ("forward", {"factors": (9, 1, 9, 1)}),
    "forward, near float32": ("forward", {"how": "tf32x3"}),
    "forward, bfloat16": ("forward", {"dtype": torch.bfloat16, "planes": True}),
    "forward, 4 x 4": ("forward", {"factors": (4, 4, 4, 4)}),
    "to pixels": ("forward", {"factors": (0, 0, 3, 3)}),
    "to head": ("grad_head", {"tiles": slice(None)}),
    "to head, bfloat16": ("grad_head", {"dtype": torch.bfloat16}),
    "to basis": ("grad_basis", {"factors": (9, 1, 9, 1), "tiles": slice(None)}),
}


def arguments(
    module: Any,
    factors: tuple[int, int, int, int] = (3, 3, 3, 3),
    how: str = "tf32",
    dtype: torch.dtype = torch.float32,
    planes: bool = False,
) -> dict[str, Any]:
    """What a launcher passes, for 64 channels to 64 and 32 x 32 pixels to 24 x 24."""
    from contconv.engines.fused.tap_tables import CSRRows

    def table(lines: int, taps: int, rank: int) -> CSRRows:
        entries = lines * max(1, taps)
        source = torch.zeros(entries, dtype=torch.int32)
        begin = torch.zeros(lines + 1, dtype=torch.int64)
        return CSRRows(source, torch.zeros(entries, rank), begin, lines, taps)

    taps_a, taps_b, rank_a, rank_b = factors
    one = taps_b == rank_b == 1
    a = table(576 if one else 24, taps_a, rank_a)
    b = table(1 if one else 24, taps_b, rank_b)
    pixels = torch.zeros(2, 1024, 64, dtype=dtype)
    out, head = torch.zeros(2, 576, 64, dtype=dtype), torch.zeros(1, 9, 64, 64)
    if planes:
        out = out.transpose(1, 2).contiguous().transpose(1, 2)
    seen: list[dict[str, Any]] = []
    module.run = lambda kernel, tuned, grid, given: seen.append(given)
    if module.__name__.endswith("forward"):
        module.product(pixels, a, b, 1 if one else 32, head, out, how)
    elif module.__name__.endswith("grad_head"):
        module.to_head(out, pixels, a, b, 32, 64, how)
    else:
        module.to_basis(out, pixels, a, head, how)
    return seen[0]


def source(kernel: Any, given: dict[str, Any]) -> Any:
    """The kernel as Triton would compile it for these arguments."""
    from triton.compiler import ASTSource

    signature, constants, attributes = {}, {}, {}
    for i, parameter in enumerate(kernel.params):
        value = given[parameter.name]
        is_one = (
            isinstance(value, int) and value == 1 and not parameter.do_not_specialize
        )
        if isinstance(value, Tensor):
            signature[parameter.name] = TYPES[value.dtype]
            attributes[(i,)] = [["tt.divisibility", 16]]
        elif parameter.is_constexpr or is_one:
            signature[parameter.name] = "constexpr"
            constants[(i,)] = value
        else:
            signature[parameter.name] = "i32"
            if not parameter.do_not_specialize and value % 16 == 0:
                attributes[(i,)] = [["tt.divisibility", 16]]
    return ASTSource(kernel, signature, constants, attributes)


def compiled(source: Any, architecture: int, warps: int, stages: int) -> dict[str, Any]:
    """Bytes of shared memory, registers, spilled bytes, and the instructions."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import get_ptxas

    options = {"num_warps": warps, "num_stages": stages, "enable_fp_fusion": True}
    target = GPUTarget("cuda", architecture, 32)
    made: Any = triton.compile(source, target=target, options=options)
    ptx = made.asm["ptx"]
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        match = re.search(r"\.target (\w+)", ptx)
        assert match
        tool = get_ptxas(architecture).path
        command = [tool, "-v", "--gpu-name", match[1], file.name, "-o", "/dev/null"]
        said = subprocess.run(command, capture_output=True, text=True, check=True)

    def number(pattern: str) -> int:
        found = re.search(pattern, said.stderr)
        assert found, said.stderr
        return int(found[1])

    return {
        "shared": made.metadata.shared,
        "registers": number(r"Used (\d+) registers"),
        "spilled": number(r"(\d+) bytes spill stores"),
        "wgmma": "wgmma.mma_async" in ptx,
        "mma": "mma.sync" in ptx,
    }


def results(name: str) -> Iterator[dict[str, Any]]:
    from importlib import import_module

    from contconv.engines.fused import launch

    file, options = LAUNCHES[name]
    module = import_module(f"contconv.engines.fused.{file}")
    kernel = getattr(module, f"{file}_kernel")
    which = options.pop("tiles", slice(1))
    given = arguments(module, **options)
    for config in launch.configs(module.TILES[which]):
        for architecture in ARCHITECTURES:
            made = source(kernel, {**given, **config.kwargs})
            found = compiled(made, architecture, config.num_warps, config.num_stages)
            tiles = f"{config.kwargs}, {config.num_warps} warps"
            yield {"name": name, "sm": architecture, "tiles": tiles, **found}


if __name__ == "__main__":
    for name in sys.argv[1:] or LAUNCHES:
        for result in results(name):
            print(json.dumps(result), flush=True)
