"""What the public `spiffe` packages lack for asyncio: TLS contexts that follow an X509Source."""

from finial.client.contexts import Source, client_context, peer, server_context

__all__ = ["Source", "client_context", "peer", "server_context"]
