"""StreamSecrets: each answer holds all that the stream is open for and that there is.

The rules, beside those of every form:

1. The first request's version and nonce say nothing. Later ones bear the nonce of the last answer;
   whatever bears another one was overtaken by it, and is passed over.
2. Names are compared as sets. What is newly named is sent even if it was sent before.
3. There is no word for "does not exist": a name without a secret is not in the answer.
4. No names at all means everything, but only until names were given once; after that, nothing.
"""

from agent.api.sds.catalogue import EVERYTHING, Interest, Offer
from agent.api.sds.secret import SECRET_TYPE, digest
from agent.api.sds.subscription import Rejection, Reply, complaint, judge_names, judge_type
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest, DiscoveryResponse


class StateOfTheWorld:
    """The memory of one such stream."""

    __slots__ = ("_everything", "_named", "_names", "_nonce", "_sent", "_version")

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._everything = True
        self._named = False
        self._nonce = 0
        self._sent: dict[str, str] = {}
        self._version = ""

    @property
    def interest(self) -> Interest:
        """What the stream is open for."""
        return Interest(self._names, self._everything)

    def hear(self, request: DiscoveryRequest) -> Rejection | None:
        """Take a request in.

        Raises: Refusal of kind INVALID.
        """
        judge_type(request.type_url)
        if self._nonce and request.response_nonce != str(self._nonce):
            return None
        self._name(judge_names(request.resource_names))
        if not self._nonce or not request.HasField("error_detail"):
            return None
        return Rejection(tuple(self._sent), self._version, complaint(request))

    def reply(self, offer: Offer) -> Reply | None:
        """All secrets, if one of them is not what the client has."""
        versions = {name: each.version for name, each in offer.secrets.items()}
        has_new = any(self._sent.get(name) != version for name, version in versions.items())
        self._sent = versions
        if not has_new:
            return None
        self._nonce += 1
        self._version = digest(f"{n} {v}".encode() for n, v in sorted(versions.items()))
        return Reply(state_of_world(offer, self._version, str(self._nonce)), tuple(versions))

    def _name(self, names: frozenset[str]) -> None:
        self._named = self._named or bool(names)
        self._everything = EVERYTHING in names or not self._named
        self._names = names - {EVERYTHING}
        if not self._everything:
            self._sent = {name: v for name, v in self._sent.items() if name in self._names}


def state_of_world(offer: Offer, version: str, nonce: str = "") -> DiscoveryResponse:
    """Put all secrets of an offer into one answer."""
    resources = [each.packed for each in offer.secrets.values()]
    return DiscoveryResponse(
        version_info=version, resources=resources, type_url=SECRET_TYPE, nonce=nonce
    )
