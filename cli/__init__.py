"""The command `finial`."""
