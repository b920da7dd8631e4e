"""The administrators' way in: REST on a Unix socket and, where configured, over HTTPS."""
