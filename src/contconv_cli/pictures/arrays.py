"""Arrays of pixels as files hold them."""

import numpy as np

from contconv_cli.pictures.picture import Picture


def interleaved(picture: Picture) -> np.ndarray:
    """``[h, w, c]``, alpha last."""
    planes = list(picture.planes)
    if picture.alpha is not None:
        planes.append(picture.alpha)
    return np.stack(planes, 2)
