"""One file per claim: what it says, how to run it, what it gave."""
