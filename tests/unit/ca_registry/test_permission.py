"""Who may call which RPC."""

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from ca.registry.permission import PERMISSIONS, Caller, Ground, allowed, authorize
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb import (
    agent_pb2,
    bundle_pb2,
    entry_pb2,
    follow_pb2,
    health_pb2,
    reflection_pb2,
    reflection_v1alpha_pb2,
    svid_pb2,
)

_FILES = (
    agent_pb2,
    bundle_pb2,
    entry_pb2,
    svid_pb2,
    follow_pb2,
    health_pb2,
    reflection_pb2,
    reflection_v1alpha_pb2,
)
SERVICES: list[ServiceDescriptor] = [
    service for file in _FILES for service in file.DESCRIPTOR.services_by_name.values()
]
METHODS = [f"/{service.full_name}/{rpc.name}" for service in SERVICES for rpc in service.methods]


def test_every_rpc_of_the_server_has_a_row() -> None:
    """Section 5: nothing that the server can be asked is left to chance."""
    assert len(METHODS) > 40
    assert [method for method in METHODS if not allowed(method)] == []


def test_every_row_belongs_to_an_rpc() -> None:
    """Section 5: a row for a service that we have generated names one of its RPCs."""
    ours = {service.full_name for service in SERVICES}
    rows = {method for method in PERMISSIONS if method.split("/")[1] in ours}
    assert rows == set(METHODS)


def test_spires_rpcs_are_all_there() -> None:
    """RP-01 to RP-17: each service has as many rows as SPIRE has RPCs."""
    counts = {"agent": 9, "bundle": 11, "entry": 8, "svid": 7, "trustdomain": 6}
    counts |= {"localauthority": 17, "logger": 3, "debug": 1}
    for name, count in counts.items():
        assert sum(m.startswith(f"/spire.api.server.{name}.v1.") for m in PERMISSIONS) == count


AGENT = "/spire.api.server.agent.v1.Agent/"
BUNDLE = "/spire.api.server.bundle.v1.Bundle/"
NOBODY = Caller()
LOCAL = Caller(local=True)
ADMIN = Caller(admin=True)
DOWNSTREAM = Caller(downstream=True)
NODE = Caller(agent=True)


@pytest.mark.parametrize(
    ("method", "welcome"),
    [
        (AGENT + "AttestAgent", {NOBODY, LOCAL, ADMIN, DOWNSTREAM, NODE}),
        (AGENT + "RenewAgent", {NODE}),
        (AGENT + "BanAgent", {LOCAL, ADMIN}),
        (BUNDLE + "GetBundle", {NOBODY, LOCAL, ADMIN, DOWNSTREAM, NODE}),
        (BUNDLE + "GetFederatedBundle", {LOCAL, ADMIN, NODE}),
        (BUNDLE + "PublishJWTAuthority", {DOWNSTREAM}),
        ("/spire.api.server.entry.v1.Entry/SyncAuthorizedEntries", {NODE}),
        ("/spire.api.server.svid.v1.SVID/MintX509SVID", {LOCAL, ADMIN}),
        ("/spire.api.server.svid.v1.SVID/NewDownstreamX509CA", {DOWNSTREAM}),
        ("/spire.api.server.logger.v1.Logger/GetLogger", {LOCAL}),
        ("/grpc.health.v1.Health/Check", {LOCAL}),
        ("/finial.agent.v1.Follow/Follow", {NODE}),
        ("/finial.agent.v1.Bootstrap/GetProvenBundle", {NOBODY, LOCAL, ADMIN, DOWNSTREAM, NODE}),
        ("/no.such.Service/Rpc", set[Caller]()),
    ],
)
def test_only_the_callers_of_its_row_may_call(method: str, welcome: set[Caller]) -> None:
    """Section 5: one row each for what SPIRE's policy says, and nothing for what has no row."""
    for caller in (NOBODY, LOCAL, ADMIN, DOWNSTREAM, NODE):
        if caller in welcome:
            authorize(method, caller)
            continue
        with pytest.raises(Refusal) as caught:
            authorize(method, caller)
        assert caught.value.kind is Kind.DENIED
        assert caught.value.detail == f"authorization denied for method {method}"


def test_the_first_ground_counts() -> None:
    """Section 5: anyone, then local, then admin, then downstream, then agent."""
    everything = Caller(local=True, admin=True, downstream=True, agent=True)
    remote = Caller(admin=True, downstream=True, agent=True)
    assert authorize(AGENT + "AttestAgent", everything) is Ground.ANYONE
    assert authorize(BUNDLE + "GetFederatedBundle", everything) is Ground.LOCAL
    assert authorize(BUNDLE + "GetFederatedBundle", remote) is Ground.ADMIN
    assert authorize(BUNDLE + "PublishJWTAuthority", everything) is Ground.DOWNSTREAM
    assert authorize(BUNDLE + "GetFederatedBundle", NODE) is Ground.AGENT


def test_a_local_caller_is_never_an_agent() -> None:
    """Section 5: what is for agents is not for whoever sits on the server's socket."""
    with pytest.raises(Refusal):
        authorize(AGENT + "RenewAgent", Caller(local=True, agent=True))
