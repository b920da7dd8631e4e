"""What one peer has taken of a server, over all its connections."""

from finial.wire.grpc.limits import Allowance


class Share:
    """How many connections the peers of one key have, and how many bytes their calls hold.

    Messages are held from their first byte until a handler has read them. They are counted over
    all connections, because one that is bounded by itself can be opened a thousand times.
    """

    __slots__ = ("connections", "held")

    def __init__(self) -> None:
        self.connections = 0
        self.held = 0

    def is_within(self, allowance: Allowance) -> bool:
        """Whether no more is taken than is allowed."""
        return self.connections <= allowance.connections and self.held <= allowance.held
