"""Files of tensors, written whole or not at all."""
