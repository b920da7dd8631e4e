"""Where trust in a server comes from before we have a bundle that we learned as its agent.

Each source answers with a bundle to judge the server by. The one explicit exception is insecure
bootstrap, where there is none and only the server's SPIFFE ID is looked at.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, Protocol

from agent.upstream.messages import bundle_of
from finial.runtime.entropy import Entropy
from finial.spiffe.bundle import Bundle
from finial.spiffe.bundle_document import parse_pem_bundle, parse_spiffe_bundle
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.grpc.client import Channel
from finial.wire.grpc.method import method
from finial.wire.join_proof import NONCE_BYTES, is_proven, proof_key, token_id
from finial.wire.pb import bundle_pb2, follow_pb2

TIMEOUT: Final = 15.0
_PROVEN: Final = method(follow_pb2.DESCRIPTOR.services_by_name["Bootstrap"], "GetProvenBundle")
_GET_BUNDLE: Final = method(bundle_pb2.DESCRIPTOR.services_by_name["Bundle"], "GetBundle")

log = logging.getLogger("finial.agent.trust")

OpenUnjudged = Callable[[str], Channel]
"""Opens a channel to an address without judging who answers there, apart from the name."""


class TrustSource(Protocol):
    """A way to a first bundle."""

    @property
    def proves(self) -> bool:
        """Whether an impostor of the server would be found out."""
        ...

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """The bundle to judge the server at that address by; None to judge its name alone.

        Raises: Refusal: there is no trust to be had.
        """
        ...


class BundleFile:
    """A file that the operator provides; it is read anew each time."""

    proves = True

    def __init__(
        self, path: Path, form: Literal["pem", "spiffe"], trust_domain: TrustDomain
    ) -> None:
        self._path = path
        self._form = form
        self._trust_domain = trust_domain

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """Read the file.

        Raises: Refusal of kind PRECONDITION.
        """
        try:
            document = await asyncio.to_thread(self._path.read_bytes)
            if self._form == "pem":
                found = parse_pem_bundle(self._trust_domain, document)
            else:
                found = parse_spiffe_bundle(self._trust_domain, document)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        except Refusal as refusal:
            raise self._unusable(refusal.detail) from refusal
        if not found.x509_authorities:
            raise self._unusable("it holds no authority")
        return found

    def _unusable(self, why: str) -> Refusal:
        return Refusal(
            Kind.PRECONDITION,
            f"the trust bundle {self._path} cannot be used: {why}",
            field="trust_bundle_path",
            value=str(self._path),
            remedy="export it from the server with `finial bundle export`",
        )


class JoinToken:
    """A server proves its bundle by a MAC that only who made the join token can compute."""

    proves = True

    def __init__(self, token: str, trust_domain: TrustDomain, entropy: Entropy) -> None:
        self._token = token
        self._trust_domain = trust_domain
        self._entropy = entropy

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """Ask for the bundle with its proof; the token itself is not shown to anybody.

        Raises: Refusal of kind DENIED: whoever answers there did not make the token.
        """
        nonce = self._entropy.bytes(NONCE_BYTES)
        request = follow_pb2.GetProvenBundleRequest(token_id=token_id(self._token), nonce=nonce)
        channel = open_unjudged(address)
        try:
            answer = await channel.unary(_PROVEN, request, timeout=TIMEOUT)
        finally:
            await channel.close()
        if not is_proven(proof_key(self._token), nonce, answer.document, answer.proof):
            raise Refusal(
                Kind.DENIED,
                f"whoever answers at {address} could not prove that it made the join token",
                remedy="if the token may have expired, make a new one: finial token create; if it "
                "is fresh, check the address, for somebody else answers there",
            )
        return parse_spiffe_bundle(self._trust_domain, answer.document)


class Pin:
    """The SHA-256 of one authority's certificate, compared with the bundle the server shows."""

    proves = True

    def __init__(self, sha256: str, trust_domain: TrustDomain) -> None:
        self._sha256 = sha256.replace(":", "").lower()
        self._trust_domain = trust_domain

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """Ask for the bundle and keep of it the pinned authority alone.

        Raises: Refusal of kind DENIED: it is not among them.
        """
        channel = open_unjudged(address)
        try:
            answer = await channel.unary(
                _GET_BUNDLE, bundle_pb2.GetBundleRequest(), timeout=TIMEOUT
            )
        finally:
            await channel.close()
        for authority in bundle_of(answer).x509_authorities:
            if hashlib.sha256(authority.der).hexdigest() == self._sha256:
                return Bundle(self._trust_domain, (authority,))
        raise Refusal(
            Kind.DENIED,
            f"whoever answers at {address} shows no authority with the pinned SHA-256",
            field="trust_bundle_sha256",
            value=self._sha256,
            remedy="compare it with the output of `finial authority list` on the server",
        )


class Insecure:
    """Explicitly no trust: the first server that answers is believed."""

    proves = False

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """There is none."""
        log.warning("insecure_bootstrap: whoever answers at %s is believed unproven", address)
        return None


class Nowhere:
    """No source was configured; a bundle that is stored already is the only one."""

    proves = True

    async def bundle(self, address: str, open_unjudged: OpenUnjudged) -> Bundle | None:
        """There is none.

        Raises: Refusal of kind PRECONDITION.
        """
        raise Refusal(
            Kind.PRECONDITION,
            "nothing says which server to trust",
            remedy="give join_file, trust_bundle_path, trust_bundle_sha256 or insecure_bootstrap",
        )
