"""Super-resolution: one network that enlarges by any factor."""

from contconv.models.superres.network import SuperResolutionNet as SuperResolutionNet
from contconv.models.superres.tile_grid import count_tiles as count_tiles
from contconv.models.superres.trained import SHIPPED as SHIPPED
from contconv.models.superres.trained import WeightsError as WeightsError
from contconv.models.superres.trained import load as load
