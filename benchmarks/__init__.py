"""Benchmarks: finial and, where its programs are given, SPIRE, driven by one client in one run."""
