"""The server, typed: the channel that follows our SVID and the calls on it."""
