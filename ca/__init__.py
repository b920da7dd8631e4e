"""The CA server: it holds a trust domain's signing keys and issues SVIDs."""
