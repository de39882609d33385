"""The engine in C++ where things are odd: memory, sizes, threads, broken libraries."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from contconv import continuous_conv
from contconv.engines.native.library import missing
from contconv.kernels import CosineKernel
from tests.cases import refusal

if (reason := missing()) is not None:
    pytest.skip(f"NOT TESTED: {reason}", allow_module_level=True)

import contconv_native

SCRIPT = Path(__file__).with_name("guarded_memory.py")


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="pages are guarded as Unix does")
@pytest.mark.parametrize("name", contconv_native.compiled_sets())
def test_nothing_beside_a_tensor_is_touched(name):
    """The first and the last page around each input end the process."""
    done = python(str(SCRIPT), **{contconv_native.VARIABLE: name})
    if "this CPU lacks it" not in done.stdout + done.stderr:
        assert done.returncode == 0, done.stderr[-2000:]
        assert f"{name} is well-behaved" in done.stdout


@torch.no_grad()
def test_more_elements_than_32_bits_count():
    """By strides: of the rows in between nothing is read."""
    kernel, row = CosineKernel(1, 1, (3, 3)), torch.rand(8, 9)
    try:
        memory = torch.empty(7 * 2**30 // 3 + 9)  # 9 GiB, of which pages are touched
    except RuntimeError:
        pytest.skip("NOT TESTED: the system does not promise so much memory")
    image = memory.as_strided((1, 1, 8, 9), (1, 1, 2**30 // 3, 1))
    image.copy_(row)
    for scale in (0.7391, 1.4):
        expected = continuous_conv(row[None, None], kernel, scale=scale)
        actual = continuous_conv(image, kernel, scale=scale, engine="native")
        assert torch.equal(actual, expected)


@torch.no_grad()
def test_expanded_to_more_than_32_bits():
    """A batch of one image, read once for each: 2**33 elements."""
    kernel, image = CosineKernel(1, 1, (3, 3)), torch.rand(1, 1, 1, 9)
    tall = image.expand(1, 1, 2**30, 9)
    assert tall.numel() > 2**33
    options = {"scale": (Fraction(1, 2**20), 0.7), "engine": "native"}
    out = continuous_conv(tall, kernel, **options)
    assert out.shape == (1, 1, 1024, 7)
    assert torch.equal(out[:, :, 1:-1], out[:, :, 1:2].expand(1, 1, 1022, 7))


def test_an_axis_too_long_for_its_tables_is_refused():
    image = torch.rand(1).expand(1, 1, 2**31)
    options = {"scale": 1, "size": 3}
    reasons = refusal("native", image, CosineKernel(1, 1, (3,)), options)
    assert reasons == [
        "an axis has 2147483648 pixels; at most 2147483647 are counted",
    ]


@torch.no_grad()
def test_threads_that_come_and_go():
    """Between calls, also to more than there are rows or processors."""
    kernel = CosineKernel(20, 18, (3, 3))
    sizes = [(0, 3, 3), (1, 1, 1), (1, 40, 37), (3, 2, 90), (2, 1, 1)]
    images = [torch.randn(n, 20, h, w) for n, h, w in sizes]
    threads = torch.get_num_threads()
    expected = [continuous_conv(one, kernel, scale=1.3) for one in images]
    try:
        for count in (17, 1, 5, 2, 16, 1):
            torch.set_num_threads(count)
            for image, same in zip(images, expected, strict=True):
                assert torch.equal(continuous_conv(image, kernel, scale=1.3), same)
    finally:
        torch.set_num_threads(threads)


CODE = """
import torch, warnings, sys
warnings.simplefilter("always")
from contconv import continuous_conv
from contconv.engines.native.library import missing
ones = torch.ones(1, 1, 4, 4)
for _ in range(2):
    out = continuous_conv(ones, "cubic", scale=2, padding_mode="replicate")
assert torch.allclose(out, torch.ones(1, 1, 8, 8))
print(missing())
"""


@pytest.fixture
def installed(tmp_path) -> Path:
    """A copy of the library's package, found before the one that is installed."""
    source = Path(contconv_native.__file__).parent
    return Path(shutil.copytree(source, tmp_path / "contconv_native"))


def told(package: Path) -> str:
    """Why the copy is not used; the call is computed without it."""
    path = os.pathsep.join([str(package.parent), *filter(None, sys.path)])
    done = python("-c", CODE, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("UserWarning") <= 1
    return done.stdout.strip() + "\n" + done.stderr


@pytest.mark.parametrize("part", [0, 0.01, 0.5, 0.999])
def test_a_library_cut_off_is_told(installed, part):
    """Loaded, the system would end the process."""
    library = installed / contconv_native.path().name
    whole = library.read_bytes()
    library.write_bytes(whole[: int(part * len(whole))])
    said = told(installed)
    assert "contconv-native does not run here" in said and "install" in said
    assert "PyTorch's operators are used" in said


def test_a_library_that_is_missing_or_of_another_version_is_told(installed):
    module, own = installed / "__init__.py", f"INTERFACE = {contconv_native.INTERFACE}"
    text = module.read_text()
    assert own in text
    module.write_text(text.replace(own, "INTERFACE = 0"))
    assert "is of another version than contconv" in told(installed)
    module.write_text(text)
    (installed / contconv_native.path().name).unlink()
    assert "contconv-native does not run here" in told(installed)
