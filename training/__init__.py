"""Training of image classifiers: data sets, a plain loop, checkpoints, a log."""
