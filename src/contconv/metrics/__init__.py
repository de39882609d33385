"""Metrics: shift equivariance, drift, and the fidelity of images."""

from contconv.metrics.centroid import centroid as centroid
from contconv.metrics.centroid import drift as drift
from contconv.metrics.consistency import class_consistency as class_consistency
from contconv.metrics.equivariance import shift_equivariance as shift_equivariance
from contconv.metrics.fidelity import psnr as psnr
from contconv.metrics.fidelity import ssim as ssim
from contconv.metrics.fractional import fractional_shift as fractional_shift
from contconv.metrics.moved import Equivariance as Equivariance
from contconv.metrics.moved import equivariance as equivariance
from contconv.metrics.moved import same_class as same_class
