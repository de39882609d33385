"""Eq. 3 with the sums exchanged."""
