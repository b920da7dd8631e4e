"""Asks the service again and again, and believes nobody else.

    client.py URL SERVER_ID [SECONDS]

Ends with a line of JSON: calls, failures, and how many of the server's and of its own certificates
were seen.
"""

import asyncio
import json
import sys
import time

import httpx
from cryptography import x509
from spiffe import X509Source

from finial.client import client_context


async def main(url: str, server: str, seconds: float) -> int:
    """Call for so many seconds, each time over a new connection."""
    told = {"calls": 0, "failed": 0, "errors": [], "last": None}
    theirs, ours = set(), set()
    with X509Source(timeout_in_seconds=20) as source:
        tls = client_context(source, server)
        # Without keep-alive each call is a handshake; in earnest, leave the limits away.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(verify=tls, limits=limits) as client:
            end = time.monotonic() + seconds
            while True:
                try:
                    async with client.stream("GET", f"{url}/price") as answer:
                        answer.raise_for_status()
                        told["last"] = json.loads(await answer.aread())
                        session = answer.extensions["network_stream"].get_extra_info("ssl_object")
                        leaf = x509.load_der_x509_certificate(session.getpeercert(True))
                    theirs.add(leaf.serial_number)
                    told["calls"] += 1
                except httpx.HTTPError as fault:
                    told["failed"] += 1
                    told["errors"] = [*told["errors"][-2:], f"{type(fault).__name__}: {fault}"]
                ours.add(source.get_x509_context().default_svid.leaf.serial_number)
                if time.monotonic() >= end:
                    break
                await asyncio.sleep(0.01)
    told |= {"server_certificates": len(theirs), "own_certificates": len(ours)}
    print(json.dumps(told))
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    wanted = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2], wanted)))
