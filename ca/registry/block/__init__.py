"""Blocks: what may be blocked, what a block hits, and whether something is blocked."""
