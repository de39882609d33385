"""What is kept from call to call: never a wrong value, never too many bytes."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from contconv import ContinuousConv2d, continuous_conv
from contconv._runtime import cache
from contconv.kernels import (
    ContinuousKernel,
    CosineKernel,
    CubicKernel,
    GaussianKernel,
    LanczosKernel,
    MLPKernel,
    SplineKernel,
)
from tests.cases import HERE

HALF = Fraction(1, 2)
ENGINES = [*HERE, "auto"]


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(cache, "_kept", cache._Entries())
    return cache._kept


def assert_right(
    kernel: ContinuousKernel, image: Tensor, engine: str, groups: int = 1
) -> None:
    """With what is kept by now; the reference keeps nothing."""
    for scale in (HALF, 2):
        options: Any = {"scale": scale, "groups": groups}
        with torch.no_grad():
            try:
                actual = continuous_conv(image, kernel, **options, engine=engine)
            except ValueError:
                assert engine == "separable"
                return
            expected = continuous_conv(image, kernel, **options, engine="reference")
        close = 1e-5 if image.dtype == torch.float32 else 1e-13
        torch.testing.assert_close(actual, expected, rtol=close, atol=close)


class Thrice(CosineKernel):
    """Derived, with another basis."""

    def basis(self, distances):
        return super().basis(distances) * 3


class Scaled(CosineKernel):
    """Derived, with an attribute in the basis of an axis."""

    factor: float = 1.0

    def axis_basis(self, distance, axis):
        return self.factor * super().axis_basis(distance, axis)


class ScaledMLP(MLPKernel):
    """Likewise, of one whose basis has parameters."""

    factor: float = 1.0

    def basis(self, distances):
        return self.factor * super().basis(distances)


class Factor(nn.Module):
    """A parametrization with an attribute."""

    factor: float = 1.0

    def forward(self, value):
        return self.factor * value


def parametrized(kernel: Any, module: Any, name: str) -> Any:
    parametrize.register_parametrization(module, name, Factor())
    kernel.own = module.parametrizations[name][0]
    return kernel


def narrow_layer() -> MLPKernel:
    kernel = MLPKernel(2, 3, (3, 3))
    return parametrized(kernel, kernel.layers[1], "weight")


def halved(kernel: Any) -> None:
    with torch.no_grad():
        kernel.parametrizations.head.original0.mul_(0.5)


def changed(name: str, value: Any) -> Callable[[Any], None]:
    return lambda kernel: setattr(kernel, name, value)


def factor(kernel: Any) -> None:
    kernel.own.factor = 2.0


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "attribute": (lambda: Scaled(2, 3, (3, 3)), changed("factor", 2.0)),
    "of an MLP": (lambda: ScaledMLP(2, 3, (3, 3)), changed("factor", 2.0)),
    "size": (lambda: CosineKernel(2, 3, (3, 3)), changed("kernel_size", (5, 4))),
    "degree": (lambda: SplineKernel(2, 3, (4, 4)), changed("degree", 1)),
    "cubic": (CubicKernel, changed("a", -0.75)),
    "gaussian": (GaussianKernel, changed("density", 3.0)),
    "lanczos": (LanczosKernel, changed("lobes", 2)),
    "its basis": (
        lambda: CosineKernel(2, 3, (3, 3)),
        lambda own: setattr(own, "basis", lambda d: 3 * CosineKernel.basis(own, d)),
    ),
    "parametrization": (
        lambda: parametrized(kernel := CosineKernel(2, 3, (3, 3)), kernel, "head"),
        factor,
    ),
    "of a layer": (narrow_layer, factor),
    "weight norm": (
        lambda: parametrizations.weight_norm(CosineKernel(2, 3, (3, 3)), "head"),
        halved,
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("make, change", CHANGES.values(), ids=CHANGES)
def test_results_follow_every_change(make, change, engine):
    kernel, image = make(), torch.rand(1, 2, 8, 6)
    assert_right(kernel, image, engine)
    change(kernel)
    assert_right(kernel, image, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_kernels_are_not_mistaken_for_each_other(engine):
    image = torch.rand(1, 2, 8, 6)
    for kind in (Thrice, CosineKernel, Scaled, Thrice):
        for count in (2, 3, 2):
            assert_right(kind(2, 3, (3, 3), frequencies=count), image, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_kernel_with_several_groups_and_dtypes(engine):
    kernel = CosineKernel(2, 4, (3, 3))
    for groups in (1, 2, 4, 1):
        assert_right(kernel, torch.rand(1, 2 * groups, 8, 6), engine, groups)
    assert_right(kernel.double(), torch.rand(1, 2, 8, 6).double(), engine)
    for dtype in (torch.float32, torch.float64):  # the same kernel for both
        assert_right(SHARED, torch.rand(1, 2, 8, 6, dtype=dtype), engine)


SHARED = GaussianKernel()


class Dropped(MLPKernel):
    """A basis with a dropout."""

    def basis(self, distances):
        return nn.functional.dropout(super().basis(distances), 0.5, self.training)


def test_a_dropout_is_drawn_anew():
    kernel, image = Dropped(2, 3, (3, 3)), torch.rand(1, 2, 8, 6)
    options: Any = {"scale": HALF, "engine": "periodic"}
    with torch.no_grad():
        first, second = (continuous_conv(image, kernel, **options) for _ in range(2))
    assert not torch.equal(first, second)
    assert_right(kernel.eval(), image, "periodic")


class Alternating(Factor):
    """As a dropout that happens to drop nothing at every other call."""

    def forward(self, value):
        self.factor = 3 - self.factor if self.training else 1
        return super().forward(value)


def test_a_random_parametrization_leaves_nothing_behind():
    kernel: Any = MLPKernel(2, 3, (3, 3))
    parametrize.register_parametrization(kernel.layers[1], "weight", Alternating())
    image = torch.rand(1, 2, 8, 6)
    with torch.no_grad():
        continuous_conv(image, kernel, scale=HALF, engine="periodic")
    assert_right(kernel.eval(), image, "periodic")


def test_is_kept_and_found(kept):
    image = torch.rand(1, 2, 9, 9)
    counts = []
    for scale in (1.3, 1.3, 1.4):
        kernel = CosineKernel(2, 2, (3, 3))
        continuous_conv(image, kernel, scale=scale, engine="factored")
        counts.append(len(kept.entries))
    assert 1 <= counts[0] == counts[1] < counts[2]


@pytest.mark.parametrize("engine", ["separable", "factored"])
def test_learning_goes_on_after_inference(engine, kept):
    layer = ContinuousConv2d(2, 2, 3, scale=0.7, engine=engine)
    image = torch.rand(1, 2, 9, 9)
    with torch.inference_mode():
        layer(image)
    assert kept.entries
    layer(image.requires_grad_()).sum().backward()
    assert image.grad is not None and layer.kernel.head.grad is not None


@pytest.mark.parametrize("scale", [0.5, 2, 1.5])
@pytest.mark.parametrize("kind", [CosineKernel, MLPKernel])
def test_filters_follow_the_parameters(kind, scale):
    """Also where they are written behind autograd's back."""
    kernel, image = kind(2, 3, (3, 3)), torch.rand(1, 2, 9, 9)

    def check() -> None:
        options = {"scale": scale, "engine": "periodic"}
        learned = continuous_conv(image, kernel, **options)
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                torch.testing.assert_close(
                    continuous_conv(image, kernel, **options), learned
                )

    check()
    for parameter in kernel.parameters():
        parameter.data.mul_(1.5)
        check()
        parameter.data.view(-1)[[0, -1]] = parameter.data.view(-1)[[-1, 0]]
        check()


def test_values_follow_the_tensors_and_go_with_their_owner(kept):
    """Also where these are written behind autograd's back."""
    owners, tensor, made = [nn.Linear(1, 1)], torch.ones(3), []

    def value() -> Tensor:
        make = lambda: made.append(1) or 2 * tensor  # noqa: E731
        return cache.cached_by_parameters(owners[0], "double", [tensor], make)

    for change in (lambda: None, lambda: tensor.data.mul_(3), lambda: None):
        change()
        assert torch.equal(value(), 2 * tensor)
    assert len(made) == 2 and len(kept.entries) == 1
    owners.clear()
    gc.collect()
    kept.find("anything")
    assert not kept.entries and not kept.size


def fill(key: str, size: int = 2**18) -> list[str]:
    """The key if it had to be made: its value takes as many bytes."""
    made = []
    # Views of one memory, of which each would keep all.
    make = lambda: made.append(key) or torch.zeros(size // 4).split(100)  # noqa: E731
    cache.cached(key, (), make)
    return made


def test_bytes_are_bounded_and_the_oldest_goes(monkeypatch, kept):
    monkeypatch.setattr(cache, "TOTAL", 3 * 2**18 + 2**16)
    made = [key for name in "abcadabc" for key in fill(name)]
    assert made == [*"abc", "d", "b", "c"]
    storages = {
        part.untyped_storage().data_ptr(): part.untyped_storage().nbytes()
        for entry in kept.entries.values()
        for part in entry.value
    }
    assert 2**19 < sum(storages.values()) <= kept.size <= cache.TOTAL
    monkeypatch.setattr(cache, "MOST", 2**19)
    assert fill("large", 2**19) == fill("large", 2**19) == ["large"]
    assert kept.size <= cache.TOTAL


def test_threads_share_it(monkeypatch, kept):
    monkeypatch.setattr(cache, "TOTAL", 20 * 2**12)
    wrong = []

    def work(seed: int) -> None:
        for i in range(2000):
            number = (i * seed) % 31
            value = cache.cached(number, (), lambda n=number: torch.full((512,), n))
            if value[0] != number:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert kept.size == sum(entry.size for entry in kept.entries.values()) > 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_finds_the_lock_free(kept):
    holds = threading.Event()

    def hold() -> None:
        with kept.lock:
            holds.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait()
    child = os.fork()
    if child == 0:
        kept.find("anything")
        os._exit(0)
    thread.join()
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child waits for a lock that nobody holds")
    assert status == 0
