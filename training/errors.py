"""What can be wrong with files that training reads."""


class DataError(Exception):
    """A data set is missing, partial, corrupt, or not what it should be."""


class CheckpointError(Exception):
    """A checkpoint is damaged, or belongs to another network or recipe."""
