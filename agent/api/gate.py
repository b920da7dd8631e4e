"""What is judged before a call on the workloads' socket reaches its handler."""

from collections import Counter
from typing import Final

from agent.api.call_records import CallRecords
from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.call import Call

PREFIX: Final = "/SpiffeWorkloadAPI/"
GUARDED: Final = (PREFIX, "/finial.workload.v1.Introspection/")
SECURITY_KEY: Final = "workload.spiffe.io"


class Gate:
    """Asks for the security metadata first, then counts the calls that a uid has open.

    Spec: Workload Endpoint section 3 (WEP-06); checklist section 13 for its scope: health and
    reflection on the same socket are not the Workload API.
    """

    def __init__(self, calls_per_uid: int, records: CallRecords) -> None:
        self._limit = calls_per_uid
        self._records = records
        self._open: Counter[int] = Counter()

    @property
    def open_calls(self) -> int:
        """How many calls are open."""
        return self._open.total()

    def guard(self, call: Call[KernelPeer]) -> None:
        """Let a call in.

        Raises: Refusal of kind INVALID (no security metadata), UNAVAILABLE (too many calls).
        """
        try:
            if call.method.startswith(GUARDED):
                judge_security_metadata(call)
            self._judge_number(call.peer.uid)
        except Refusal as refusal:
            raise self._records.refused(call, refusal) from refusal
        self._open[call.peer.uid] += 1
        call.caller = True

    def _judge_number(self, uid: int) -> None:
        if self._open[uid] >= self._limit:
            raise Refusal(
                Kind.UNAVAILABLE,
                f"uid {uid} has {self._limit} calls open, and no more are taken",
                remedy="keep one stream open instead of many",
            )

    def finished(self, call: Call[KernelPeer]) -> None:
        """Note that a call has ended, whether or not it was let in."""
        if call.caller:
            uid = call.peer.uid
            self._open[uid] -= 1
            if not self._open[uid]:
                del self._open[uid]


def judge_security_metadata(call: Call[KernelPeer]) -> None:
    """Accept exactly one value `true`, spelled so.

    A browser or a server tricked into sending a request to this socket cannot add it.

    Raises: Refusal of kind INVALID.
    """
    if tuple(call.metadata.get_all(SECURITY_KEY)) != ("true",):
        raise Refusal(
            Kind.INVALID,
            "security header missing from request",
            remedy=f"send the metadata {SECURITY_KEY}: true, once",
        )
