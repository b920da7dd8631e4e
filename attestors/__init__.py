"""What proves a node or a workload: plugins, loaded by entry point."""
