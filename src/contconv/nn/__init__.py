"""Layers, and networks of them at other scales."""

from contconv.nn.alias_free import AliasFree as AliasFree
from contconv.nn.conv import ContinuousConv1d as ContinuousConv1d
from contconv.nn.conv import ContinuousConv2d as ContinuousConv2d
from contconv.nn.conv import ContinuousConv3d as ContinuousConv3d
from contconv.nn.ensemble import ScaleEnsemble as ScaleEnsemble
from contconv.nn.learnable_scale import LearnableScale as LearnableScale
from contconv.nn.scales import continuous_layers as continuous_layers
from contconv.nn.scales import scales_of as scales_of
from contconv.nn.scales import using_scales as using_scales
