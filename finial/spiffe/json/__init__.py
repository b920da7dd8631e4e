"""JSON as the standards need it: read without two meanings, and keys in it."""
