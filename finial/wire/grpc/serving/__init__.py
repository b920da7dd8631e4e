"""The inside of a server: connections, their sweep, and the TLS listener."""
