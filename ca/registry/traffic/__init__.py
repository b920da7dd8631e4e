"""Who called whom, as agents tell it."""
