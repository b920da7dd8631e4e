"""gRPC over HTTP/2, both sides of a connection; knows no SPIFFE ID and no message of ours."""
