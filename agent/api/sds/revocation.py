"""Revocation lists for Envoys, which refuse a blocked certificate in the handshake by them.

An Envoy that is given a list for one authority takes nothing from an authority without one. So it
is given none unless something is revoked, and then either the list of every authority, or none.
"""

import logging
from collections.abc import Iterable
from typing import Final

from cryptography import x509

from finial.blocks import NOTHING_BLOCKED, Blocks, Crl
from finial.spiffe.bundle import Bundle

MOST_LISTS: Final = 64
log = logging.getLogger("finial.agent.sds")


class RevocationLists:
    """Finds what belongs beside a bundle, and looks into each list once."""

    def __init__(self) -> None:
        self._blocks = NOTHING_BLOCKED
        self._revokes = False
        self._lacking: frozenset[str] = frozenset()

    def beside(self, bundle: Bundle, blocks: Blocks, now: float) -> tuple[bytes, ...]:
        """The lists of the authorities of our own trust domain, in DER and in their order."""
        if blocks is not self._blocks:
            self._blocks = blocks
            self._revokes = bool(blocks) and _revoke(blocks.crls)
        if not self._revokes:
            return ()
        known = {each.authority_id: each.der for each in blocks.crls[:MOST_LISTS]}
        needed = [each.subject_key_id for each in bundle.x509_authorities if each.not_after > now]
        self._warn(frozenset(needed) - known.keys())
        if not known.keys() >= set(needed):
            return ()
        return tuple(known[each] for each in needed)

    def _warn(self, lacking: Iterable[str]) -> None:
        found = frozenset(lacking)
        if found and found != self._lacking:
            log.warning(
                "Envoys are given no revocation lists, since there is none of the authority %s yet",
                ", ".join(sorted(found)),
            )
        self._lacking = found


def _revoke(lists: Iterable[Crl]) -> bool:
    """Whether something is revoked by them."""
    try:
        return any(len(x509.load_der_x509_crl(each.der)) for each in lists)
    except ValueError:
        # An Envoy would refuse everything that is sent together with it.
        log.warning("a revocation list of the server cannot be read, and Envoys are given none")
        return False
