"""The incremental form, one stream at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api.sds.catalogue import EVERYTHING, Interest, Offer
from agent.api.sds.delta import Delta
from agent.api.sds.secret import SECRET_TYPE
from agent.api.sds.subscription import MAX_NAMES, Reply
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb.envoy_discovery_pb2 import DeltaDiscoveryRequest
from finial.wire.pb.status_pb2 import Status
from tests.doubles.secrets import COMING, DENIED, offer, secret, values


def request(*names: str, drop: tuple[str, ...] = (), **more: Any) -> DeltaDiscoveryRequest:
    return DeltaDiscoveryRequest(
        type_url=SECRET_TYPE,
        resource_names_subscribe=names,
        resource_names_unsubscribe=drop,
        **more,
    )


def opened(*names: str, **more: Any) -> Delta:
    stream = Delta()
    assert stream.hear(request(*names, **more)) is None
    return stream


def told(reply: Reply | None) -> list[str]:
    assert reply is not None
    return values(each.resource for each in reply.message.resources)


def removed(reply: Reply | None) -> list[str]:
    assert reply is not None
    return list(reply.message.removed_resources)


def test_only_what_is_new_is_sent() -> None:
    """Each secret has its own version, and one that changed comes alone."""
    stream = opened("a", "b")
    reply = stream.reply(offer(a="1", b="1"))
    assert told(reply) == ["a=1", "b=1"]
    assert reply is not None
    assert {each.name: each.version for each in reply.message.resources} == {"a": "1", "b": "1"}
    assert stream.reply(offer(a="1", b="1")) is None
    assert told(stream.reply(offer(a="1", b="2"))) == ["b=2"]


def test_each_subscription_is_answered() -> None:
    """Also to what the client has already; and what there is not is named as removed."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    stream.hear(request("a", "b"))
    reply = stream.reply(offer({"b": DENIED}, a="1"))
    assert told(reply) == ["a=1"]
    assert removed(reply) == ["b"]
    assert stream.reply(offer({"b": DENIED}, a="1")) is None


def test_what_is_on_its_way_is_answered_when_it_comes() -> None:
    """An SVID that is being signed is neither sent nor called removed."""
    stream = opened("a")
    assert stream.reply(offer({"a": COMING})) is None
    assert told(stream.reply(offer(a="1"))) == ["a=1"]
    assert stream.reply(offer({"a": COMING})) is None


def test_what_is_lost_is_removed_once_and_comes_back() -> None:
    """A lost identity is told; the same secret is sent again when it is the client's again."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    assert removed(stream.reply(offer({"a": DENIED}))) == ["a"]
    assert stream.reply(offer({"a": DENIED})) is None
    assert told(stream.reply(offer(a="1"))) == ["a=1"]


def test_a_client_that_comes_back_gets_only_what_is_new() -> None:
    """It says what it has, and what it has that is gone is named."""
    stream = opened("a", "b", "c", initial_resource_versions={"a": "1", "b": "1", "c": "1"})
    reply = stream.reply(offer({"c": DENIED}, a="1", b="2"))
    assert told(reply) == ["b=2"]
    assert removed(reply) == ["c"]


def test_what_is_let_go_is_not_sent_any_more() -> None:
    """And if it is asked for again, it is sent again."""
    stream = opened("a", "b")
    stream.reply(offer(a="1", b="1"))
    stream.hear(request(drop=("a", "never")))
    assert stream.interest == Interest(frozenset({"b"}))
    assert stream.reply(offer(b="1")) is None
    stream.hear(request("a"))
    assert told(stream.reply(offer(a="1", b="1"))) == ["a=1"]


def test_whoever_begins_without_a_name_asks_for_everything() -> None:
    """Until it lets the star go; a star may also be asked for by name."""
    stream = opened(initial_resource_versions={"x": "1", "gone": "1"})
    assert stream.interest == Interest(everything=True)
    reply = stream.reply(offer(x="1", y="1"))
    assert told(reply) == ["y=1"]
    assert removed(reply) == ["gone"]
    stream.hear(request(drop=(EVERYTHING,)))
    assert not stream.interest
    assert stream.reply(Offer()) is None
    stream.hear(request(EVERYTHING))
    assert stream.interest == Interest(everything=True)


def test_nobody_is_told_that_everything_was_removed() -> None:
    """The star is no name of a secret."""
    stream = opened()
    assert stream.reply(offer({EVERYTHING: DENIED})) is None


def test_a_nonce_is_given_and_never_asked_for() -> None:
    """Requests count whatever nonce they bear."""
    stream = opened("a")
    reply = stream.reply(offer(a="1"))
    assert reply is not None
    assert reply.message.nonce == "1"
    stream.hear(request("b", response_nonce="77"))
    assert stream.interest == Interest(frozenset({"a", "b"}))


def test_what_is_rejected_is_reported_and_not_sent_again() -> None:
    """A complaint on the first request is about another stream; later ones are recorded."""
    stream = Delta()
    no = Status(code=3, message="no")
    assert stream.hear(request("a", error_detail=no)) is None
    stream.reply(offer(a="1"))
    rejection = stream.hear(request(response_nonce="1", error_detail=no))
    assert rejection is not None
    assert (rejection.names, rejection.complaint) == (("a",), "no")
    assert stream.reply(offer(a="1")) is None


@pytest.mark.parametrize(
    "bad",
    [
        DeltaDiscoveryRequest(type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster"),
        request(""),
        request("x" * 2049),
        request(*map(str, range(MAX_NAMES + 1))),
        request("a", initial_resource_versions={str(n): "1" for n in range(MAX_NAMES + 1)}),
    ],
)
def test_a_malformed_request_is_refused(bad: DeltaDiscoveryRequest) -> None:
    """Another type, an empty or endless name, too many names or versions: INVALID."""
    with pytest.raises(Refusal) as caught:
        Delta().hear(bad)
    assert caught.value.kind is Kind.INVALID


def test_names_are_counted_over_all_requests_of_a_stream() -> None:
    """Many small requests do not get round the bound."""
    stream = opened(*map(str, range(MAX_NAMES)))
    with pytest.raises(Refusal):
        stream.hear(request("one more"))


NAMES = ("a", "b", "c")
worlds = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123"))


@given(st.lists(st.tuples(worlds, st.sampled_from(NAMES), st.booleans())))
def test_a_client_always_has_what_there_is(steps: Any) -> None:
    """Whatever changes and is asked for, the client holds exactly the world it asked for."""
    stream, had, names = opened("a"), dict[str, str](), {"a"}
    for world, name, lets_go in steps:
        found = Offer(
            {n: secret(n, v) for n, v in world.items() if n in names},
            {n: DENIED for n in names if n not in world},
        )
        reply = stream.reply(found)
        if reply is not None:
            had |= dict(each.split("=") for each in told(reply))
            for each in removed(reply):
                assert each not in world
                had.pop(each, None)
        assert had == {n: each.version for n, each in found.secrets.items()}
        assert stream.reply(found) is None
        stream.hear(request(drop=(name,)) if lets_go else request(name))
        names = names - {name} if lets_go else names | {name}
        had = {n: v for n, v in had.items() if n in names}


def test_everything_asked_for_anew_is_sent_anew() -> None:
    """Who unsubscribed from everything has forgotten it; versions sent before say nothing."""
    stream = opened()
    stream.reply(offer(a="1"))
    stream.hear(request(drop=(EVERYTHING,)))
    assert stream.interest == Interest()
    assert stream.reply(offer()) is None
    stream.hear(request(EVERYTHING))
    assert told(stream.reply(offer(a="1"))) == ["a=1"]
    stream.hear(request(EVERYTHING))
    assert told(stream.reply(offer(a="1"))) == ["a=1"]


def test_a_name_given_back_under_everything_is_answered() -> None:
    """The client cannot know whether it is still given it as a part of everything."""
    stream = opened(EVERYTHING, "a", "alias")
    stream.reply(offer(a="1", alias="1"))
    stream.hear(request(drop=("a", "alias")))
    reply = stream.reply(offer(a="1"))
    assert (told(reply), removed(reply)) == (["a=1"], ["alias"])
    assert stream.reply(offer(a="1")) is None


def test_a_stream_keeps_little() -> None:
    """Streams are many: names are bounded together, and a version that cannot be ours is none."""
    stream = opened()
    for each in range(8):
        stream.hear(request(f"{each}".ljust(2048, "x")))
    with pytest.raises(Refusal, match="16384 bytes together"):
        stream.hear(request("y"))
    stream = opened("a", initial_resource_versions={"a": "v" * 100_000})
    assert told(stream.reply(offer(a="v" * 100_000))) == ["a=" + "v" * 100_000]
