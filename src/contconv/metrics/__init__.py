"""What networks do to shifted images: for any model, trained or not."""

from contconv.metrics._centroid import centroid as centroid
from contconv.metrics._centroid import drift as drift
from contconv.metrics._consistency import class_consistency as class_consistency
from contconv.metrics._equivariance import shift_equivariance as shift_equivariance
from contconv.metrics._fractional import fractional_shift as fractional_shift
