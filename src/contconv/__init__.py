"""contconv: the continuous convolution layer for PyTorch."""

from contconv import kernels as kernels
from contconv import metrics as metrics
from contconv import models as models
from contconv._explain import Explanation as Explanation
from contconv._explain import explain as explain
from contconv._export._bake import bake as bake
from contconv._export._onnx import to_onnx as to_onnx
from contconv._export._saving import load as load
from contconv._export._saving import save as save
from contconv._resize import resize as resize
from contconv.functional import continuous_conv as continuous_conv
from contconv.nn import ContinuousConv1d as ContinuousConv1d
from contconv.nn import ContinuousConv2d as ContinuousConv2d
from contconv.nn import ContinuousConv3d as ContinuousConv3d
from contconv.nn import ScaleEnsemble as ScaleEnsemble
from contconv.nn import using_scales as using_scales
