"""A process that writes to a datastore until it is killed, and says what was acknowledged.

Run as `python -m tests.doubles.restless_writer FOLDER ROUND`. Each line of its output is a word and
a name, written only after the datastore answered; eight writers share the commits.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

from ca.authority.slot import Use
from ca.datastore.datastore import Datastore
from ca.registry.join_token import JoinToken
from finial.runtime.clock import SystemClock
from finial.spiffe.bundle import X509Authority
from tests.doubles.datastore import TRUST_DOMAIN, bundle, entry, node, slot, svid, url

WRITERS = 8


def tell(word: str, name: str) -> None:
    os.write(1, f"{word} {name}\n".encode())


async def write(datastore: Datastore, prefix: str) -> None:
    """Register, attest, issue and spend, one after the other, for ever."""
    number = 0
    while True:
        number += 1
        name = f"{prefix}-{number}"
        await datastore.create_entries([entry(name), entry(name + "b")])
        tell("entry", name)
        tell("entry", name + "b")
        await datastore.record_issued([svid(name)])
        tell("svid", name)
        await datastore.create_join_token(JoinToken(name, b"p", 2**40))
        await datastore.spend_join_token(name, "key", 1.0)
        tell("spent", name)
        await datastore.attest_node(node(name), issued=svid(name + "-node"))
        tell("svid", name + "-node")
        tell("node", name)
        if number % 3 == 0:
            tell("deleting", name + "b")
            await datastore.delete_entries([name + "b"])
            tell("deleted", name + "b")


async def rotate(datastore: Datastore, prefix: str) -> None:
    """Store ever new authorities together with the bundle that publishes them."""
    number = 0
    while True:
        number += 1
        name = f"{prefix}-{number}"
        former = await datastore.bundle() or bundle()
        published = (*former.x509_authorities[-9:], X509Authority(name.encode()))
        grown = replace(former, x509_authorities=published)
        stored = await datastore.save_authorities("one", [slot(name, use=Use.X509)], grown)
        tell("bundle", str(stored.sequence))


async def main(folder: str, round_: str) -> None:
    datastore = await Datastore.open(url(Path(folder)), SystemClock(), TRUST_DOMAIN)
    tell("ready", round_)
    await asyncio.gather(
        rotate(datastore, f"{round_}-k"),
        *(write(datastore, f"{round_}-{n}") for n in range(WRITERS)),
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
