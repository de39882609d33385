"""Drawings of kernels, grids and networks; they need matplotlib."""

from contconv.plots.grid import plot_grid as plot_grid
from contconv.plots.kernel import plot_kernel as plot_kernel
from contconv.plots.shapes import plot_shapes as plot_shapes
