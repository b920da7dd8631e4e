"""Envoy's question whether a request may pass (`ext_authz`), by gRPC and by HTTP."""
