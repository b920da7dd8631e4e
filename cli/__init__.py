"""The command `finial`; nothing imports it."""
