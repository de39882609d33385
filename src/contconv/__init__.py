"""contconv: the continuous convolution layer for PyTorch."""

from contconv import kernels as kernels
from contconv import metrics as metrics
from contconv import models as models
from contconv._grid.coverage import coverage as coverage
from contconv.export.bake import bake as bake
from contconv.export.onnx import to_onnx as to_onnx
from contconv.export.saving import load as load
from contconv.export.saving import save as save
from contconv.functional import rotation as rotation
from contconv.functional import warp as warp
from contconv.functional.conv import continuous_conv as continuous_conv
from contconv.functional.explain import explain as explain
from contconv.functional.explanation import Explanation as Explanation
from contconv.functional.resize import resize as resize
from contconv.nn import ContinuousConv1d as ContinuousConv1d
from contconv.nn import ContinuousConv2d as ContinuousConv2d
from contconv.nn import ContinuousConv3d as ContinuousConv3d
from contconv.nn import LearnableScale as LearnableScale
from contconv.nn import ScaleEnsemble as ScaleEnsemble
from contconv.nn import using_scales as using_scales
from contconv.nn.coverage import ScaleCoverageWarning as ScaleCoverageWarning
from contconv.surgery import Conversion as Conversion
from contconv.surgery import Description as Description
from contconv.surgery import Gradual as Gradual
from contconv.surgery import convert as convert
from contconv.surgery import describe as describe
from contconv.surgery import gradual as gradual

__version__ = "0.2.0.dev0"

# Not `nn`: a star must not replace the `nn` of PyTorch.
__all__ = [
    "ContinuousConv1d",
    "ContinuousConv2d",
    "ContinuousConv3d",
    "Conversion",
    "Description",
    "Explanation",
    "Gradual",
    "LearnableScale",
    "ScaleCoverageWarning",
    "ScaleEnsemble",
    "bake",
    "continuous_conv",
    "convert",
    "coverage",
    "describe",
    "explain",
    "gradual",
    "kernels",
    "load",
    "metrics",
    "models",
    "resize",
    "rotation",
    "save",
    "to_onnx",
    "using_scales",
    "warp",
]
