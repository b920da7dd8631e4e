"""How finial explains itself: why a process got what it got, and whether a part is well; pure."""
