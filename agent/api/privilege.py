"""Which callers on the operators' socket get everything: root, and the agent's own user."""

import os

from finial.runtime.peer import KernelPeer
from finial.spiffe.refusal import Kind, Refusal


def is_operator(peer: KernelPeer) -> bool:
    """Whether the kernel says that the caller may know everything."""
    return peer.uid in (0, os.geteuid())


def judge_operator(peer: KernelPeer) -> None:
    """Let operators pass.

    Raises: Refusal of kind DENIED.
    """
    if not is_operator(peer):
        raise Refusal(
            Kind.DENIED,
            f"uid {peer.uid} is neither root nor the agent's user",
            remedy="run the command as root or as the agent's user",
        )
