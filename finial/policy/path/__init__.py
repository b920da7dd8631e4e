"""Paths of HTTP requests: how they may be read, and patterns for them."""
