"""Resampling of images where a map sends them."""
