"""What travels between processes: messages, statuses, the gRPC layer and TLS."""
