"""Networks, data and drawings that several experiments use."""
