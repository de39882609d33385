"""Networks changed: continuous layers in the place of others."""

from contconv.surgery._convert import convert as convert
from contconv.surgery._describe import Description as Description
from contconv.surgery._describe import describe as describe
from contconv.surgery._gradual import gradual as gradual
from contconv.surgery._layers import Gradual as Gradual
from contconv.surgery._report import Conversion as Conversion
from contconv.surgery._report import Row as Row
