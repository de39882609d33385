"""Layers."""

from contconv.nn.conv import ContinuousConv1d as ContinuousConv1d
from contconv.nn.conv import ContinuousConv2d as ContinuousConv2d
from contconv.nn.conv import ContinuousConv3d as ContinuousConv3d
