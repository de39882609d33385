"""Super-resolution: one network that enlarges by any factor."""

from contconv._files.network_file import WeightsError as WeightsError
from contconv.models.superres.network import SHIPPED as SHIPPED
from contconv.models.superres.network import SuperResolutionNet as SuperResolutionNet
