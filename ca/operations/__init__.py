"""One file an act: the only place where the order of effects is written."""
