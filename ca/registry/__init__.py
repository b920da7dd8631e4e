"""Pure: what was registered and attested, and who may do what."""
