"""Networks of continuous layers, and the scale sequences that they run at."""

from contconv.models import schedules as schedules
from contconv.models.cifar import BaselineNet as BaselineNet
from contconv.models.cifar import CCNet as CCNet
from contconv.models.superres import SuperResolutionNet as SuperResolutionNet
