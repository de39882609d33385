"""Pictures in files: read, changed as arrays, written with what belongs to them."""
