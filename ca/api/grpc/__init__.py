"""SPIRE's server API and our own agent stream, over gRPC."""
