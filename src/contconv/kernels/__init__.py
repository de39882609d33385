"""Kernels: filters as functions of sub-pixel distance."""

from contconv.kernels.bandlimited import BandlimitedKernel as BandlimitedKernel
from contconv.kernels.base import ContinuousKernel as ContinuousKernel
from contconv.kernels.base import SeparableKernel as SeparableKernel
from contconv.kernels.classical import BoxKernel as BoxKernel
from contconv.kernels.classical import CubicKernel as CubicKernel
from contconv.kernels.classical import GaussianKernel as GaussianKernel
from contconv.kernels.classical import LanczosKernel as LanczosKernel
from contconv.kernels.classical import LinearKernel as LinearKernel
from contconv.kernels.cosine import CosineKernel as CosineKernel
from contconv.kernels.head import initialise_head as initialise_head
from contconv.kernels.mlp import MLPKernel as MLPKernel
from contconv.kernels.sinc import SincKernel as SincKernel
from contconv.kernels.spline import SplineKernel as SplineKernel
