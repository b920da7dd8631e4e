"""Tells a FastAPI application who calls."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from finial.client import peer


class WithCaller(HttpToolsProtocol):
    """uvicorn's own HTTP, with the caller's SPIFFE ID as `request.state.caller`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the ID from the TLS session, which has judged it already."""
        caller = peer(transport.get_extra_info("ssl_object"))
        self.app_state = {**self.app_state, "caller": str(caller)}
        super().connection_made(transport)
