"""Speed and memory against what people use, as ratios taken in one run."""
