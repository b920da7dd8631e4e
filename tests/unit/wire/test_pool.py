"""Messages live in one private pool."""

import importlib

from finial.wire import pool
from finial.wire.pb import agent_pb2, status_pb2, types_pb2, well_known, workload_pb2


def test_the_workload_api_of_another_library_lives_in_the_same_process() -> None:
    """Our copy of the Workload API's messages does not collide with another library's copy."""
    theirs = importlib.import_module("spiffe._proto.workload_pb2")
    message = theirs.X509SVIDResponse(svids=[theirs.X509SVID(spiffe_id="spiffe://a.test/b")])
    ours = workload_pb2.X509SVIDResponse.FromString(message.SerializeToString())
    assert ours.svids[0].spiffe_id == "spiffe://a.test/b"
    assert type(ours) is not type(message)


def test_claims_of_a_token_are_read_and_written_as_a_mapping() -> None:
    """A Struct of our pool keeps the conveniences of the library's own."""
    response = workload_pb2.ValidateJWTSVIDResponse(spiffe_id="spiffe://a.test/b")
    response.claims.update({"aud": ["x"], "exp": 5})
    assert dict(response.claims) == {"aud": response.claims["aud"], "exp": 5}


def test_details_of_a_status_are_packed_and_unpacked() -> None:
    """A detail in an Any keeps the type URL that SPIRE's agents look for."""
    status = status_pb2.Status(code=7)
    status.details.add().Pack(types_pb2.PermissionDeniedDetails(reason=4))
    [detail] = status.details
    assert detail.type_url == "type.googleapis.com/spire.api.types.PermissionDeniedDetails"
    assert detail.Is(types_pb2.PermissionDeniedDetails.DESCRIPTOR)


def test_an_empty_challenge_is_told_from_no_challenge() -> None:
    """The Go agent tests the presence of a challenge, not its content."""
    response = agent_pb2.AttestAgentResponse(challenge=b"")
    assert agent_pb2.AttestAgentResponse.FromString(response.SerializeToString()).HasField(
        "challenge"
    )


def test_well_known_messages_come_from_our_pool() -> None:
    """An Empty of ours is the one that our services answer with."""
    method = agent_pb2.DESCRIPTOR.services_by_name["Agent"].methods_by_name["BanAgent"]
    assert method.output_type is well_known.Empty.DESCRIPTOR
    assert pool.file_named("google/protobuf/empty.proto").package == "google.protobuf"
