"""Protocol files of the wire, written from its facts, and what generates code from them."""
