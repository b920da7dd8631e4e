"""Pure: our own standing with the server."""
