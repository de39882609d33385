"""The operators as functions."""

from contconv.functional.conv import continuous_conv as continuous_conv
from contconv.functional.explain import explain as explain
from contconv.functional.explanation import Explanation as Explanation
from contconv.functional.resize import resize as resize
from contconv.functional.warp.transforms import rotation as rotation
from contconv.functional.warp.warp import warp as warp
