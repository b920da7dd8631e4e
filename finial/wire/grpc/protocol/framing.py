"""gRPC's message framing: one byte that says whether it is compressed, four bytes of length."""

from typing import Final

from finial.spiffe.refusal import Kind, Refusal

PREFIX: Final = 5


def frame(payload: bytes) -> bytes:
    """Put the prefix of an uncompressed message before it."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


class Assembler:
    """Cuts a body into messages.

    A message's length is judged as soon as its prefix is there, before any more is kept.
    """

    __slots__ = ("_buffer", "_limit", "_wanted")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._wanted = -1

    @property
    def is_amid(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._wanted >= 0 or bool(self._buffer)

    def feed(self, body: bytes) -> list[bytes]:
        """Take a part of the body and return the messages that it completes.

        Raises: Refusal EXHAUSTED for a message over the limit, INTERNAL for a compressed one
        (none was negotiated).
        """
        if not self._buffer and len(body) >= PREFIX:
            length = int.from_bytes(body[1:PREFIX], "big")
            if length == len(body) - PREFIX and body[0] == 0 and length <= self._limit:
                return [body[PREFIX:]]
        self._buffer += body
        return self._cut()

    def _cut(self) -> list[bytes]:
        messages = []
        buffer = self._buffer
        at = 0
        while True:
            if self._wanted < 0:
                if len(buffer) - at < PREFIX:
                    break
                self._wanted = self._judge(buffer[at], buffer[at + 1 : at + PREFIX])
            end = at + PREFIX + self._wanted
            if len(buffer) < end:
                break
            messages.append(bytes(buffer[at + PREFIX : end]))
            at, self._wanted = end, -1
        del buffer[:at]
        return messages

    def _judge(self, compressed: int, length: bytearray) -> int:
        announced = int.from_bytes(length, "big")
        if announced > self._limit:
            raise Refusal(
                Kind.EXHAUSTED,
                f"a message of {announced} bytes is larger than the limit of {self._limit}",
            )
        if compressed:
            raise Refusal(Kind.INTERNAL, "a compressed message, but no encoding was negotiated")
        return announced
