"""Resampling of images where a map sends them."""

from contconv._warp._call import warp as warp
from contconv._warp._maps import rotation as rotation
