"""`finial up`: a server and an agent in the foreground, for development."""
