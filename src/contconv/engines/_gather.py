"""The neighbors' values: a copy of the image for each tap."""

from torch import Tensor

from contconv._types import Float, Int


def gather(
    image: Float[Tensor, "n c *in_shape"], source: Int[Tensor, "b p k"]
) -> Float[Tensor, "n c p k"]:
    """The pixels ``source`` of the flattened image; ``b`` is 1 or ``n``."""
    flat = image.flatten(2)
    if source.shape[0] == 1:
        return flat.index_select(2, source.flatten()).unflatten(2, source.shape[1:])
    batched = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, batched).unflatten(2, source.shape[1:])
