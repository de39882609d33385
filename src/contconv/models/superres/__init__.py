"""Super-resolution: one network that enlarges by any factor."""

from contconv._files.network_file import WeightsError as WeightsError
from contconv.models.superres.network import SHIPPED as SHIPPED
from contconv.models.superres.network import SuperResolutionNet as SuperResolutionNet
from contconv.models.superres.network import load as load
from contconv.models.superres.tile_grid import count_tiles as count_tiles
