"""Networks of continuous layers, and the scale sequences that they run at."""

from contconv.models.cifar import BaselineNet as BaselineNet
from contconv.models.cifar import CCNet as CCNet
from contconv.models.superres.network import SuperResolutionNet as SuperResolutionNet
from contconv.nn import schedules as schedules
