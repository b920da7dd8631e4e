"""The inside of a client: its connection and the calls on it."""
