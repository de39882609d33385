"""Two processes, each with half of the images: torchrun --nproc-per-node 2 ddp.py."""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from contconv import ContinuousConv2d, using_scales
from contconv.models import schedules
from contconv.nn import scales_of

distributed.init_process_group("gloo")  # "nccl" on GPUs
rank, world = distributed.get_rank(), distributed.get_world_size()

torch.manual_seed(0)
network = nn.Sequential(
    ContinuousConv2d(3, 16, 3, scale=0.8),
    nn.ReLU(),
    ContinuousConv2d(16, 1, 3, scale=0.8, size=8),
)
model = DistributedDataParallel(network)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
images = torch.rand(8, 3, 16, 16)[rank::world]

for step in range(3):
    generator = torch.Generator().manual_seed(step)  # the same scales everywhere
    scales = schedules.jittered(scales_of(network), 0.1, generator=generator)
    with using_scales(network, scales):
        loss = model(images).square().mean()
        optimizer.zero_grad()
        loss.backward()
    optimizer.step()

line = f"process {rank}: {sum(p.sum().item() for p in model.parameters()):.6f}\n"
print(line, end="", flush=True)  # in one piece: the processes share the terminal
distributed.destroy_process_group()
