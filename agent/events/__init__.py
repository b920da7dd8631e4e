"""What happened, as frozen values; the audit log and the metrics observe them."""
