"""What travels in a call: framing, metadata, and the headers that begin it."""
