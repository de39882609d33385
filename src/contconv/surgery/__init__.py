"""Networks changed: continuous layers in the place of others."""

from contconv.nn.gradual import Gradual as Gradual
from contconv.surgery.conversion import Conversion as Conversion
from contconv.surgery.conversion import Row as Row
from contconv.surgery.convert import convert as convert
from contconv.surgery.describe import Description as Description
from contconv.surgery.describe import describe as describe
from contconv.surgery.gradual import gradual as gradual
