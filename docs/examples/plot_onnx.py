"""
Export to ONNX
==============

A network that resizes, written as one ONNX file that takes images of any size and
makes them any size: height and width of the output are inputs of the graph, too.

It needs ``pip install onnx onnxscript onnxruntime``.
"""

# %%
# A network
# ---------
#
# An ordinary convolution, and a continuous one that lands on a size. It is not trained:
# what is shown here holds for any weights. The size is an argument of the call.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
import torch
from skimage import data
from torch import Tensor, nn

from contconv import ContinuousConv2d, to_onnx

torch.manual_seed(0)


class Resizer(nn.Module):
    """Features at the input's size, then a layer that lands on the size."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.last = ContinuousConv2d(8, 3, 5, kernel="spline", padding_mode="replicate")

    def forward(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """Resize images to ``size``."""
        return self.last(self.features(image).relu(), size=size)


network = Resizer().eval()

# %%
# The file
# --------
#
# `contconv.to_onnx` runs the file with ONNX Runtime at five sizes before it is there.
# The size of the example has no meaning.

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "resizer.onnx"
to_onnx(network, path, torch.rand(1, 3, 24, 32), size="input")
print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")

# %%
# Its inputs are the image, and two whole numbers:

session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
for one in session.get_inputs():
    print(one.name, one.type, one.shape)

# %%
# At several sizes
# ----------------
#
# The same file, up and down, each axis by its own factor. PyTorch is not needed for
# this, nor is contconv.

photograph = data.astronaut()[:200, 100:350].astype(np.float32).transpose(2, 0, 1) / 255


def resize(height: int, width: int) -> np.ndarray:
    """The photograph, at that size."""
    size = {"height": np.array(height), "width": np.array(width)}
    (output,) = session.run(["output"], {"input": photograph[None], **size})
    return np.asarray(output)[0]


sizes = [(60, 75), (97, 250), (200, 250), (251, 131), (317, 423)]
outputs = [resize(*size) for size in sizes]

# %%
# And the error, against the network itself, as a part of the largest value of its
# output. It is that of rounding to 32 bits.

errors = []
for size, output in zip(sizes, outputs, strict=True):
    with torch.no_grad():
        expected = network(torch.from_numpy(photograph)[None], size)[0].numpy()
    errors.append(np.abs(output - expected).max() / np.abs(expected).max())
    print(f"{size[0]:4d} x {size[1]:3d} pixels: {errors[-1]:.1e}")

# %%
# One channel of each output, drawn with the same pixels per inch:

figure, axes = plt.subplots(
    1,
    len(sizes),
    figsize=(11, 3.6),
    width_ratios=[width for _, width in sizes],
    layout="constrained",
)
for place, output, size, error in zip(axes, outputs, sizes, errors, strict=True):
    place.imshow(output[0], cmap="gray")
    place.set_title(f"{size[0]} x {size[1]}\nerror {error:.0e}", fontsize=9)
    place.set_axis_off()
plt.show()

# %%
folder.cleanup()
