"""Strided convolutions, one per sub-pixel phase."""
