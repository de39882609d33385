"""One Triton kernel, on CUDA."""
