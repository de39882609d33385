"""What networks do to shifted images, and how far an image is from another."""

from contconv.metrics._centroid import centroid as centroid
from contconv.metrics._centroid import drift as drift
from contconv.metrics._consistency import class_consistency as class_consistency
from contconv.metrics._equivariance import shift_equivariance as shift_equivariance
from contconv.metrics._fidelity import psnr as psnr
from contconv.metrics._fidelity import ssim as ssim
from contconv.metrics._fractional import fractional_shift as fractional_shift
