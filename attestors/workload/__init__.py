"""Workload attestors: from a process to its selectors."""
