"""Plan: what a call leaves for those with the same shapes, scale and kernel."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from contconv._grid.grid import Grid
from contconv._grid.placement import Placement
from contconv._grid.ratio import Ratio
from contconv._runtime import cache
from contconv._runtime.autocast import autocast_dtype
from contconv._runtime.autograd import is_transformed
from contconv.engines import Engine, Problem
from contconv.engines.native import engine as native_engine
from contconv.engines.native.tables import Tables, axis_tables
from contconv.kernels import ContinuousKernel

# Numbers are all there is to these classes; others may do anything.
_TENSORS = frozenset((Tensor, nn.Parameter))
_SINGLE = frozenset((int, float, Fraction, Ratio, Placement, str, bool, type(None)))


@dataclass(eq=False)
class Plan:
    """What calls of the same shapes, scale and kernel have in common.

    It is kept once the native engine has run such a call, beside its tables and within
    the bytes of `cache`; checks, grid, tables and choice are not made again.
    """

    key: Hashable
    grid: Grid
    dtype: torch.dtype  # of the output
    tables: Tables | None = None  # of the native engine, once it is chosen

    def keeps(self, problem: Problem, engine: Engine) -> bool:
        """Whether it is kept from now on, because this engine takes the problem."""
        if engine is native_engine:
            self.tables = axis_tables(problem)
            cache.keep(self.key, self, self.tables)
        return engine is native_engine


def plan_key(
    input: Tensor, kernel: ContinuousKernel, bias: Any, *options: Any
) -> Hashable | None:
    """All that the checks of a call, its grid and its tables depend on.

    None where that may be more than can be seen: where anything traces or transforms
    the call, where a tensor or a number is of a class of its own, and where the basis
    of the kernel may change.
    """
    if is_transformed() or torch._C._len_torch_dispatch_stack():
        return None
    basis, head = kernel.basis_key, kernel.head
    own = tuple(kernel._parameters)
    if basis is None or kernel._modules or own not in ((), ("head",)):
        return None
    key: list[Any] = ["plan", basis, kernel.kernel_size, own, autocast_dtype(input)]
    for one in (input, head) if bias is None else (input, head, bias):
        if type(one) not in _TENSORS or not one.is_cpu or one.layout != torch.strided:
            return None
        key += one.shape, one.dtype
    known = options_key(options)
    return None if known is None else (*key, *known)


def options_key(options: Iterable[Any]) -> tuple[Hashable, ...] | None:
    """The types and values of options; None where one of them is of another class."""
    key: list[Hashable] = []
    for option in options:
        kind = type(option)
        if kind is tuple or kind is list:
            kind, option = tuple(map(type, option)), tuple(option)
            if not _SINGLE.issuperset(kind):
                return None
        elif kind is Fraction:
            option = option.as_integer_ratio()  # whose hash takes a tenth of the time
        elif kind not in _SINGLE:
            return None
        key += kind, option  # 1, 1.0 and True are equal
    return tuple(key)


def found_plan(key: Hashable | None) -> Plan | None:
    """The plan that was kept for a key."""
    return None if key is None else cache.find(key)
