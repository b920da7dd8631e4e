"""A node proves itself by a token that an administrator made for it, once (PN-01, QN-01, BN-01)."""
