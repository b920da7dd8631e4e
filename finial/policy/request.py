"""A request as rules see it: who calls whom, with which method, on which path."""

import re
from typing import Final, Self

import msgspec

from finial.policy.grounds import Ground
from finial.policy.path.reading import Readings, read_path
from finial.spiffe.identity import SpiffeId
from finial.spiffe.well_known import is_reserved

MAX_METHOD: Final = 64

# A token (RFC 9110 section 5.6.2) without small letters: `delete` is not DELETE (section 9.1), but
# many servers take it for that, and no method is registered in small letters. So it would be a way
# around a rule that denies DELETE.
_method = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)


class Request(msgspec.Struct, frozen=True, gc=False):
    """One call; made by `read`, since a path is nothing to be matched as it came.

    `caller` is None where nobody proved who calls. `fault` is why no rule can allow it; then there
    are no `readings` of the path.
    """

    caller: SpiffeId | None
    callee: SpiffeId
    method: str
    readings: Readings
    fault: Ground | None = None

    @classmethod
    def read(cls, caller: SpiffeId | None, callee: SpiffeId, method: str, target: str) -> Self:
        """Read what a proxy says of a request; `target` is a path, a query may follow it.

        What cannot be read makes a request that no rule allows, and never an exception.
        """
        if caller is None:
            return cls(caller, callee, method[:MAX_METHOD], (), Ground.NO_IDENTITY)
        if not caller.path or is_reserved(caller):
            # A rule about all workloads is none about whoever has a node's own key.
            return cls(caller, callee, method[:MAX_METHOD], (), Ground.NO_WORKLOAD)
        if not _method.fullmatch(method):
            return cls(caller, callee, method[:MAX_METHOD], (), Ground.METHOD_MALFORMED)
        found = read_path(target)
        if isinstance(found, Ground):
            return cls(caller, callee, method, (), found)
        return cls(caller, callee, method, found)
