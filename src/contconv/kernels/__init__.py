"""Kernels: filters as functions of sub-pixel distance."""

from contconv.kernels._base import ContinuousKernel as ContinuousKernel
from contconv.kernels._base import SeparableKernel as SeparableKernel
from contconv.kernels._head import initialise_head as initialise_head
from contconv.kernels.analytic import BoxKernel as BoxKernel
from contconv.kernels.analytic import CubicKernel as CubicKernel
from contconv.kernels.analytic import GaussianKernel as GaussianKernel
from contconv.kernels.analytic import LanczosKernel as LanczosKernel
from contconv.kernels.analytic import LinearKernel as LinearKernel
from contconv.kernels.cosine import CosineKernel as CosineKernel
from contconv.kernels.mlp import MLPKernel as MLPKernel
from contconv.kernels.spline import SplineKernel as SplineKernel
