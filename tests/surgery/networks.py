"""Small networks of the kinds that are converted."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """A block of a ResNet, as torchvision writes it."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1 or before != after:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    """A small ResNet."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.maxpool = nn.BatchNorm2d(width), nn.MaxPool2d(3, 2, 1)
        pairs = ((1, 1, 1), (1, 2, 2), (2, 4, 2))
        blocks = [Residual(a * width, b * width, s) for a, b, s in pairs]
        self.layers, self.fc = nn.Sequential(*blocks), nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        out = self.layers(self.maxpool(self.bn1(self.conv1(x)).relu()))
        return self.fc(out.mean((2, 3)))


class UNet(nn.Module):
    """Down by strides, up by transposed convolutions, with connections across."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.up1 = nn.ConvTranspose2d(4 * width, width, 3, 2, 1, output_padding=1)
        self.last = nn.Conv2d(2 * width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.first(x).relu()
        b = self.down1(a).relu()
        c = self.up2(self.down2(b).relu()).relu()
        return self.last(torch.cat([self.up1(torch.cat([b, c], 1)).relu(), a], 1))


def generator(width: int = 4) -> nn.Sequential:
    """A DCGAN generator, from one pixel to 32."""
    return nn.Sequential(
        nn.ConvTranspose2d(10, 4 * width, 4, 1, 0, bias=False),
        nn.BatchNorm2d(4 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(2 * width, width, 3, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 3, 4, 2, 1),
        nn.Tanh(),
    )


NETWORKS = {
    "resnet": (ResNet, (2, 3, 64, 50)),
    "unet": (UNet, (2, 1, 24, 32)),
    "generator": (generator, (2, 10, 1, 1)),
}


def everything(name: str, module: nn.Module) -> bool:
    """A filter that lets all pass."""
    return True


def settled(model: nn.Module, image: Tensor) -> nn.Module:
    """A network with running statistics that are not those of a new one."""
    with torch.no_grad():
        for _ in range(3):
            model(image)
    return model.eval()
