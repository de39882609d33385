"""The index rules, against numpy.pad."""

import numpy as np
import pytest
import torch

from contconv._grid.padding import PADDING_MODES, is_source, source_index

NUMPY = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_same_as_numpy_however_far_outside(mode, size):
    line = np.arange(1, size + 1)
    far = 4 * size + 3
    index = torch.arange(-far, size + far)
    padded = torch.tensor(line)[source_index(index, size, mode)]
    inside = is_source(index, size, mode)
    if inside is not None:
        padded = padded * inside
    assert padded.tolist() == np.pad(line, far, NUMPY[mode]).tolist()  # type: ignore
