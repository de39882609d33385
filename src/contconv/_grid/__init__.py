"""Steps 1 and 2 of the paper: the projected grid, and the fields of view."""
