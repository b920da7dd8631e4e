"""HTTP/2 as the gRPC layer needs it: an engine without input and output, and its connection."""
