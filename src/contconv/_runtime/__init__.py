"""PyTorch around a call: memory, autocast, autograd, caches; no convolution."""
