"""Which selectors there are, and whether an entry asks for one that nothing gives; pure."""
