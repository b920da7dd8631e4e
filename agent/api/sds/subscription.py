"""What both forms of Envoy's discovery protocol have in common, as far as a server must know.

The rules:

1. The type of what is asked for is `Secret`, or left out.
2. Only the first request on a stream is sure to say what Envoy it is.
3. A request with `error_detail` refuses the last answer. It is heard, counted and not answered: the
   same again would be refused again, for ever.
4. What a client has is never sent again, unless it asks for it.
5. Names are bounded in number and length, and so is what a client says it has or was wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agent.api.sds.catalogue import Interest, Offer
from agent.api.sds.secret import SECRET_TYPE
from finial.spiffe.identity import MAX_ID_BYTES
from finial.spiffe.refusal import Kind, Refusal

MAX_NAMES: Final = 256
MAX_NAME_BYTES: Final = 16 * 1024
"""Of all names of a stream, which are kept for as long as it is open; and streams are many."""
MAX_COMPLAINT: Final = 300


@dataclass(frozen=True, slots=True)
class Rejection:
    """A client does not take what it was sent; `complaint` is in its words, made harmless."""

    names: tuple[str, ...]
    version: str
    complaint: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send: the message, and the names of the secrets in it."""

    message: Any
    names: tuple[str, ...]


class Subscription(Protocol):
    """One stream's memory: what it is open for, and what its client has."""

    @property
    def interest(self) -> Interest:
        """What the stream is open for."""
        ...

    def hear(self, request: Any) -> Rejection | None:
        """Take a request in.

        Raises: Refusal of kind INVALID.
        """
        ...

    def reply(self, offer: Offer) -> Reply | None:
        """What the client has to be told now, if anything."""
        ...


def judge_type(type_url: str) -> None:
    """Accept the type of secrets, and silence.

    Raises: Refusal of kind INVALID.
    """
    if type_url not in ("", SECRET_TYPE):
        raise Refusal(
            Kind.INVALID,
            f"there are only secrets here, not {type_url[:120]!a}",
            field="type_url",
            value=ascii(type_url[:120])[1:-1],
            remedy=f"ask for {SECRET_TYPE}",
        )


def judge_names(names: Iterable[str]) -> frozenset[str]:
    """Accept at most 256 names and 16 KiB of them, none empty or over 2048 bytes.

    Raises: Refusal of kind INVALID.
    """
    found = frozenset(names)
    if len(found) > MAX_NAMES:
        raise Refusal(
            Kind.INVALID,
            f"one stream asks for more than {MAX_NAMES} secrets",
            field="resource_names",
            remedy="open another stream",
        )
    for each in found:
        if not each or len(each.encode()) > MAX_ID_BYTES:
            fault = "is longer than 2048 bytes" if each else "is empty"
            raise Refusal(Kind.INVALID, f"the name of a secret {fault}", field="resource_names")
    if sum(len(each.encode()) for each in found) > MAX_NAME_BYTES:
        raise Refusal(
            Kind.INVALID,
            f"the names of one stream have more than {MAX_NAME_BYTES} bytes together",
            field="resource_names",
            remedy="open another stream",
        )
    return found


def complaint(request: Any) -> str:
    """What a client says was wrong, on one line and cut."""
    said = request.error_detail.message or f"code {request.error_detail.code}"
    return ascii(said[:MAX_COMPLAINT])[1:-1]
