"""A registration entry: who gets which SPIFFE ID, and with what."""

import msgspec

from finial.spiffe.identity import SpiffeId, TrustDomain
from finial.spiffe.selector import Selector


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an administrator registered; names as in SPIRE's `types.Entry`.

    Lifetimes are in seconds, 0 meaning the server's default; `expires_at` and `created_at` are
    Unix seconds, 0 meaning never. `selectors`, `federates_with`, `dns_names` and `attributes` are
    sorted and without duplicates, but for `dns_names`, whose first one becomes the common name.
    """

    id: str
    spiffe_id: SpiffeId
    parent_id: SpiffeId
    selectors: tuple[Selector, ...]
    x509_svid_ttl: int = 0
    jwt_svid_ttl: int = 0
    federates_with: tuple[TrustDomain, ...] = ()
    admin: bool = False
    downstream: bool = False
    store_svid: bool = False
    expires_at: int = 0
    dns_names: tuple[str, ...] = ()
    hint: str = ""
    disable_x509_svid_prefetch: bool = False
    jwt_svid_include_jti: bool = False
    attributes: tuple[tuple[str, str], ...] = ()
    revision_number: int = 0
    created_at: int = 0
