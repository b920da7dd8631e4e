"""The ways in: the Workload API and the operators' API, over Unix sockets."""
