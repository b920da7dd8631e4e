"""A node proves that it holds the key of a certificate from a CA we trust (PN-03, QN-03, BN-03)."""
