"""A small network that enlarges photographs, and what it does to flat colours."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from contconv import resize
from experiments.shared.upsamplers import UPSAMPLERS, at_scale


class Network(nn.Module):
    """Two convolutions, then the layer that enlarges; nothing after it hides it."""

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.last = UPSAMPLERS[name](width, 3)

    def forward(self, image: Tensor, scale: float = 2) -> Tensor:
        """The enlarged image."""
        return at_scale(self.last, scale)(self.body(image))


def train(
    network: Network,
    steps: int,
    batch: int,
    patch: int,
    scales: tuple[float, float],
) -> None:
    """Fit it to photographs and their copies reduced to ``patch`` pixels."""
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 4e-3, total_steps=steps + 1
    )
    photos = [photograph("chelsea"), photograph("astronaut")]
    for _ in range(steps):
        scale = torch.empty(1).uniform_(*scales).item()
        size = round(scale * patch)
        large = torch.cat([_part(photos, size) for _ in range(batch)])
        small = resize(large, size=patch)
        # Exactly the scale from which the size was rounded.
        enlarged = network(small, size / patch)
        optimizer.zero_grad()
        (enlarged - large).abs().mean().backward()
        optimizer.step()
        schedule.step()


def photograph(name: str) -> Tensor:
    """One of scikit-image's, ``[1, 3, h, w]``, from 0 to 1."""
    from skimage import data

    return torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None] / 255


def _part(photos: list[Tensor], size: int) -> Tensor:
    photo = photos[int(torch.randint(len(photos), ()))]
    top, left = (int(torch.randint(n - size + 1, ())) for n in photo.shape[2:])
    return photo[..., top : top + size, left : left + size]


@torch.no_grad()
def flatness(network: Network, scale: float) -> float:
    """Root mean square deviation within flat colours, in grey levels (of 255).

    The colours are pixels of a photograph that was not trained on.
    """
    colors = photograph("coffee")[0, :, 20::40, 20::40].flatten(1).T
    flat = colors[:, :, None, None].expand(-1, -1, 24, 24)
    cut = math.ceil(6 * scale)
    output = network(flat, scale)[..., cut:-cut, cut:-cut].double()
    return 255 * output.var((-2, -1), correction=0).mean().sqrt().item()


@torch.no_grad()
def psnr(enlarge: Callable[[Tensor], Tensor]) -> float:
    """Of a photograph that was not trained on, halved and doubled again."""
    photo = photograph("coffee")
    wrong = (enlarge(resize(photo, scale=0.5)) - photo)[..., 8:-8, 8:-8]
    return -10 * wrong.square().mean().log10().item()
