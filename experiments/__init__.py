"""Experiments: the claims of the paper, and our own, as files that run."""

from pathlib import Path

ROOT = Path(__file__).parent
RESULTS = ROOT / "results"
