"""DeltaSecrets: each answer holds what is new and names what is gone.

The rules, beside those of every form:

1. Each name that is subscribed to gets an answer each time: the secret, or that there is none. What
   is on its way is answered when it comes. Everything, asked for anew, is sent anew.
2. A client that comes back says which versions it has, and gets only what is not among them.
3. What was sent and is no longer the client's is named as removed, once.
4. A nonce is given and never asked for.
"""

from agent.api.sds.catalogue import EVERYTHING, Interest, Missing, Offer
from agent.api.sds.secret import LONGEST_VERSION, SECRET_TYPE, digest
from agent.api.sds.subscription import Rejection, Reply, complaint, judge_names, judge_type
from finial.spiffe.refusal import Kind
from finial.wire.pb.envoy_discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    Resource,
)


class Delta:
    """The memory of one such stream."""

    __slots__ = (
        "_everything",
        "_has_begun",
        "_last_names",
        "_last_version",
        "_names",
        "_nonce",
        "_owed",
        "_sent",
    )

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._everything = False
        self._has_begun = False
        self._nonce = 0
        self._sent: dict[str, str] = {}
        self._owed: set[str] = set()
        self._last_names: tuple[str, ...] = ()
        self._last_version = ""

    @property
    def interest(self) -> Interest:
        """What the stream is open for."""
        return Interest(self._names, self._everything)

    def hear(self, request: DeltaDiscoveryRequest) -> Rejection | None:
        """Take a request in.

        Raises: Refusal of kind INVALID.
        """
        judge_type(request.type_url)
        asked = judge_names(request.resource_names_subscribe)
        self._unsubscribe(frozenset(request.resource_names_unsubscribe))
        if not self._has_begun:
            # Whoever begins without a name asks for everything, and whoever was here says so.
            self._everything = not asked
            judge_names(request.initial_resource_versions)
            # A version that cannot be ours is none; what is not ours is not kept.
            self._sent = {
                name: version if len(version) <= LONGEST_VERSION else ""
                for name, version in request.initial_resource_versions.items()
            }
        self._subscribe(asked)
        self._has_begun = True
        if not self._nonce or not request.HasField("error_detail"):
            return None
        return Rejection(self._last_names, self._last_version, complaint(request))

    def reply(self, offer: Offer) -> Reply | None:
        """What the client has not, and what it has and may not have any more."""
        fresh = [
            each
            for name, each in offer.secrets.items()
            if name in self._owed or self._sent.get(name) != each.version
        ]
        gone = self._gone(offer)
        self._owed -= offer.secrets.keys() | set(gone)
        self._sent = {name: v for name, v in self._sent.items() if name not in gone}
        self._sent |= {each.name: each.version for each in fresh}
        if not fresh and not gone:
            return None
        self._nonce += 1
        self._last_names = tuple(each.name for each in fresh)
        self._last_version = digest(f"{n} {v}".encode() for n, v in sorted(self._sent.items()))
        message = DeltaDiscoveryResponse(
            system_version_info=self._last_version,
            resources=[Resource(name=s.name, version=s.version, resource=s.packed) for s in fresh],
            type_url=SECRET_TYPE,
            nonce=str(self._nonce),
            removed_resources=gone,
        )
        return Reply(message, self._last_names)

    def _unsubscribe(self, names: frozenset[str]) -> None:
        self._everything = self._everything and EVERYTHING not in names
        dropped = self._names & names
        self._names -= names
        self._owed -= names
        if self._everything:
            # The client cannot know whether it still gets it, as a part of everything.
            self._owed |= dropped
        else:
            self._sent = {name: v for name, v in self._sent.items() if name in self._names}

    def _subscribe(self, names: frozenset[str]) -> None:
        if EVERYTHING in names:
            self._everything = True
            if self._has_begun:
                self._sent = dict.fromkeys(self._sent, "")
        named = names - {EVERYTHING}
        self._names = judge_names(self._names | named)
        known = frozenset() if self._has_begun else self._sent.keys()
        self._owed |= named - known

    def _gone(self, offer: Offer) -> list[str]:
        """Names to call removed: there is no such secret, and the client thinks or asks so."""
        told = self._owed | self._sent.keys()
        coming = {name for name, each in offer.missing.items() if _is_coming(each)}
        return sorted(
            name
            for name in told - offer.secrets.keys() - coming
            if name in self._names or self._everything
        )


def _is_coming(missing: Missing) -> bool:
    return missing.kind is Kind.UNAVAILABLE
