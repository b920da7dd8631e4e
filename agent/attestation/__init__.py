"""What became of each caller: remembered within bounds, and explained from what was known; pure."""
