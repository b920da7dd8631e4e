"""Where private keys live: key manager plugins."""
