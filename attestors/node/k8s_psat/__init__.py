"""A node proves by a projected service account token which pod its agent is."""
