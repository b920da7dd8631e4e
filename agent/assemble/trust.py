"""Whom to join, why to trust them, and what to show them; read from the settings and join file."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.assemble.plugins import JOIN_TOKEN, load_evidence
from agent.settings import Settings
from agent.storage.own_identity import StoredIdentity
from agent.upstream.bootstrap import BundleFile, Insecure, JoinToken, Nowhere, Pin, TrustSource
from attestors.contract import NodeEvidence
from finial.runtime.entropy import Entropy
from finial.spiffe.identity import TrustDomain
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.join_string import JoinString

log = logging.getLogger("finial.agent.trust")
_REMEDY: Final = "run `finial token create` on the server and give its join string as join_file"


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms the agent joins."""

    trust_domain: TrustDomain
    servers: tuple[str, ...]
    source: TrustSource
    evidence: NodeEvidence


class NoEvidence:
    """Stands for the evidence of an agent that has joined and has nothing to join with again."""

    name = "none"

    async def payload(self) -> bytes:
        """Refuse. Raises: Refusal of kind PRECONDITION."""
        raise Refusal(
            Kind.PRECONDITION, "this agent has nothing to attest its node with", remedy=_REMEDY
        )

    async def respond(self, challenge: bytes) -> bytes:
        """Refuse. Raises: Refusal of kind PRECONDITION."""
        return await self.payload()


def read_terms(settings: Settings, stored: StoredIdentity | None, entropy: Entropy) -> Terms:
    """Read them; what was stored stands in for a join file that is no longer there.

    Raises: Refusal of kind PRECONDITION, INVALID; SettingsError.
    """
    agent = settings.agent
    join = _read_join(agent.join_file, optional=stored is not None)
    trust_domain = _trust_domain(agent.trust_domain, join, stored)
    servers = agent.servers or (join.servers if join else ()) or (stored.servers if stored else ())
    if not servers:
        raise Refusal(
            Kind.PRECONDITION,
            "no server is named",
            field="server_address",
            remedy="give server_address, or a join_file",
        )
    token = join.token if join else _read_token(agent.join_token_file)
    source = _source(settings, token, trust_domain, entropy)
    return Terms(trust_domain, servers, source, _evidence(settings, token, stored))


def _trust_domain(
    named: str, join: JoinString | None, stored: StoredIdentity | None
) -> TrustDomain:
    found = TrustDomain.parse(named) if named else None
    if join and found and join.trust_domain != found:
        raise Refusal(
            Kind.PRECONDITION,
            f"the join string is of {join.trust_domain} and the settings name {found}",
            field="trust_domain",
            value=named,
        )
    found = found or (join.trust_domain if join else None)
    found = found or (stored.trust_domain if stored else None)
    if found is None:
        raise Refusal(
            Kind.PRECONDITION,
            "no trust domain is named",
            field="trust_domain",
            remedy="give trust_domain, or a join_file",
        )
    return found


def _source(
    settings: Settings, token: str, trust_domain: TrustDomain, entropy: Entropy
) -> TrustSource:
    agent = settings.agent
    if agent.trust_bundle_path:
        return BundleFile(agent.trust_bundle_path, agent.trust_bundle_format, trust_domain)
    if agent.trust_bundle_sha256:
        return Pin(agent.trust_bundle_sha256, trust_domain)
    if agent.insecure_bootstrap:
        log.warning("insecure_bootstrap is set: nothing proves the first server to this agent")
        return Insecure()
    return JoinToken(token, trust_domain, entropy) if token else Nowhere()


def _evidence(settings: Settings, token: str, stored: StoredIdentity | None) -> NodeEvidence:
    chosen: Mapping[str, Mapping[str, Any]] = settings.plugin("node_attestor")
    if token and set(chosen) <= {JOIN_TOKEN}:
        return load_evidence(JOIN_TOKEN, {"token": token})
    if chosen:
        [(name, table)] = chosen.items()
        return load_evidence(name, table)
    if stored is not None:
        return NoEvidence()
    raise Refusal(
        Kind.PRECONDITION,
        "nothing says how this node proves what it is",
        field="plugins.node_attestor",
        remedy=f"{_REMEDY}, or configure a node attestor such as x509pop",
    )


def _read_join(path: Path | None, *, optional: bool) -> JoinString | None:
    if path is None:
        return None
    try:
        return JoinString.parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        if optional:
            return None
        raise Refusal(
            Kind.PRECONDITION,
            f"the join file cannot be read: {error}",
            field="join_file",
            value=str(path),
            remedy=_REMEDY,
        ) from error


def _read_token(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        # The attestor says so when the token is wanted; an agent that has joined needs none.
        return ""
