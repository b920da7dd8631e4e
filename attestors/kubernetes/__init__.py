"""How attestors speak with Kubernetes: one bounded, verified HTTPS request at a time."""
