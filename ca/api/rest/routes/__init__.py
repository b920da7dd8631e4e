"""The routes, one file a subject; each declares the scope that it needs."""
