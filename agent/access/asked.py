"""What a proxy asks, and on whose behalf: nothing of it is believed yet."""

import msgspec


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One request that waits at a proxy.

    `target` is the path with its query. `principal` is whom the client's certificate names, as the
    proxy saw it, and `certificate` that certificate, if it is sent. `authorization` and `forwarded`
    (`x-forwarded-client-cert`) are the request's own headers. `named` is the callee for which the
    proxy says it asks. A form without `tells_principal` has no place for the principal.
    """

    method: str
    target: str
    principal: str = ""
    certificate: str = ""
    authorization: str = ""
    forwarded: str = ""
    named: str = ""
    tells_principal: bool = True
