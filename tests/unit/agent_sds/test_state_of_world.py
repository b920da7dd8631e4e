"""The state-of-the-world form, one stream at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api.sds.catalogue import Interest, Offer
from agent.api.sds.secret import SECRET_TYPE
from agent.api.sds.state_of_world import StateOfTheWorld
from agent.api.sds.subscription import MAX_NAMES, Rejection, Reply
from finial.spiffe.refusal import Kind, Refusal
from finial.wire.pb.envoy_discovery_pb2 import DiscoveryRequest
from finial.wire.pb.status_pb2 import Status
from tests.doubles.secrets import COMING, DENIED, offer, secret, values


def request(*names: str, nonce: str = "", **more: Any) -> DiscoveryRequest:
    return DiscoveryRequest(
        type_url=SECRET_TYPE, resource_names=names, response_nonce=nonce, **more
    )


def opened(*names: str, **more: Any) -> StateOfTheWorld:
    stream = StateOfTheWorld()
    assert stream.hear(request(*names, **more)) is None
    return stream


def told(reply: Reply | None) -> list[str]:
    assert reply is not None
    return values(reply.message.resources)


def test_the_first_request_says_nothing_by_its_version_and_nonce() -> None:
    """A client that comes back names what it had from another stream; that means nothing here."""
    stream = opened("a", nonce="7", version_info="9", error_detail=Status(message="old"))
    reply = stream.reply(offer(a="1"))
    assert told(reply) == ["a=1"]
    assert reply is not None
    assert reply.message.nonce == "1"


def test_the_same_is_not_sent_twice() -> None:
    """An acknowledgement and a change that changes nothing are not answered."""
    stream = opened("a")
    assert told(stream.reply(offer(a="1"))) == ["a=1"]
    stream.hear(request("a", nonce="1"))
    assert stream.reply(offer(a="1")) is None


def test_a_change_sends_all_of_it_with_another_version_and_nonce() -> None:
    """Each answer is the whole state, and its version is made of what is in it."""
    stream = opened("a", "b")
    first = stream.reply(offer(a="1", b="1"))
    second = stream.reply(offer(a="1", b="2"))
    assert told(second) == ["a=1", "b=2"]
    assert first is not None
    assert second is not None
    assert [first.message.nonce, second.message.nonce] == ["1", "2"]
    assert first.message.version_info != second.message.version_info
    other = opened("b", "a").reply(offer(b="2", a="1"))
    assert other is not None
    assert other.message.version_info == second.message.version_info


def test_what_has_no_secret_is_left_out_and_sent_when_it_comes() -> None:
    """There is no word for what does not exist: silence, until it comes into being."""
    stream = opened("a", "b")
    assert stream.reply(offer({"a": DENIED, "b": COMING})) is None
    assert told(stream.reply(offer({"a": DENIED}, b="1"))) == ["b=1"]
    assert told(stream.reply(offer(a="1", b="1"))) == ["a=1", "b=1"]


def test_what_was_lost_is_sent_again_when_it_comes_back() -> None:
    """Even if it is the same: the client may have forgotten it."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    assert stream.reply(offer({"a": DENIED})) is None
    assert told(stream.reply(offer(a="1"))) == ["a=1"]


def test_a_newly_named_secret_is_sent_even_if_it_was_sent_before() -> None:
    """Names are compared as sets: what was let go and named again is sent again."""
    stream = opened("a", "b")
    stream.reply(offer(a="1", b="1"))
    stream.hear(request("b", nonce="1"))
    assert stream.reply(offer(b="1")) is None
    stream.hear(request("b", "a", nonce="1"))
    assert told(stream.reply(offer(a="1", b="1"))) == ["a=1", "b=1"]


def test_a_request_that_was_overtaken_is_passed_over() -> None:
    """Another nonce than the last one, or none after the first answer, changes nothing."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    stream.reply(offer(a="2"))
    for nonce in ("", "1", "x"):
        assert stream.hear(request("b", nonce=nonce, error_detail=Status(message="no"))) is None
        assert stream.interest == Interest(frozenset({"a"}))
    stream.hear(request("b", nonce="2"))
    assert stream.interest == Interest(frozenset({"b"}))


def test_names_may_change_before_the_first_answer() -> None:
    """Until something was answered every request counts: there is no nonce to bear."""
    stream = opened("a")
    assert stream.reply(offer({"a": COMING})) is None
    stream.hear(request("b"))
    assert told(stream.reply(offer(b="1"))) == ["b=1"]


def test_no_names_mean_everything_until_names_were_given() -> None:
    """Afterwards they mean nothing, and a star means everything again."""
    stream = opened()
    assert stream.interest == Interest(everything=True)
    assert told(stream.reply(offer(x="1", y="1"))) == ["x=1", "y=1"]
    stream.hear(request(nonce="1"))
    assert stream.interest == Interest(everything=True)
    stream.hear(request("x", nonce="1"))
    assert stream.interest == Interest(frozenset({"x"}))
    stream.hear(request(nonce="1"))
    assert not stream.interest
    assert stream.reply(Offer()) is None
    stream.hear(request("*", "a", nonce="1"))
    assert stream.interest == Interest(frozenset({"a"}), everything=True)


def test_what_is_rejected_is_reported_and_not_sent_again() -> None:
    """The complaint is made harmless, and only something else is another try."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    no = Status(code=3, message="bad\nkey\x1b[31m" + "x" * 1000)
    rejection = stream.hear(request("a", nonce="1", error_detail=no))
    assert rejection is not None
    assert rejection.names == ("a",)
    assert rejection.version
    assert rejection.complaint.startswith("bad\\nkey\\x1b[31mxx")
    assert len(rejection.complaint) < 400
    assert stream.reply(offer(a="1")) is None
    assert told(stream.reply(offer(a="2"))) == ["a=2"]


def test_a_rejection_without_words_has_a_code() -> None:
    """Something is said of it in any case."""
    stream = opened("a")
    stream.reply(offer(a="1"))
    found = stream.hear(request("a", nonce="1", error_detail=Status(code=13)))
    assert isinstance(found, Rejection)
    assert found.complaint == "code 13"


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (DiscoveryRequest(type_url="type.googleapis.com/envoy.config.cluster.v3.Cluster"), "type_url"),
        (DiscoveryRequest(resource_names=[""]), "resource_names"),
        (DiscoveryRequest(resource_names=["x" * 2049]), "resource_names"),
        (DiscoveryRequest(resource_names=[str(n) for n in range(MAX_NAMES + 1)]), "resource_names"),
    ],
)  # fmt: skip
def test_a_malformed_request_is_refused(bad: DiscoveryRequest, field: str) -> None:
    """Another type, an empty or endless name, too many names: INVALID, and where."""
    with pytest.raises(Refusal) as caught:
        StateOfTheWorld().hear(bad)
    assert (caught.value.kind, caught.value.field) == (Kind.INVALID, field)


def test_the_type_may_be_left_out() -> None:
    """There is only one type here."""
    stream = StateOfTheWorld()
    stream.hear(DiscoveryRequest(resource_names=["a"]))
    reply = stream.reply(offer(a="1"))
    assert reply is not None
    assert reply.message.type_url == SECRET_TYPE


NAMES = ("a", "b", "c")
worlds = st.dictionaries(st.sampled_from(NAMES), st.sampled_from("123"))


@given(st.lists(st.tuples(worlds, st.sets(st.sampled_from(NAMES), min_size=1), st.booleans())))
def test_a_client_always_has_what_there_is(steps: Any) -> None:
    """Whatever changes and whatever is acknowledged or rejected, nothing is missed or repeated."""
    stream, had, names, nonce = StateOfTheWorld(), {}, frozenset({"a"}), ""
    stream.hear(request(*names))
    for world, wanted, rejects in steps:
        found = Offer({n: secret(n, v) for n, v in world.items() if n in names})
        reply = stream.reply(found)
        if reply is not None:
            sent = dict(each.split("=") for each in values(reply.message.resources))
            assert sent == {n: each.version for n, each in found.secrets.items()}
            assert any(had.get(n) != v for n, v in sent.items())
            had, nonce = {**had, **sent}, reply.message.nonce
        assert all(had[n] == each.version for n, each in found.secrets.items())
        assert stream.reply(found) is None
        error = {"error_detail": Status(message="no")} if rejects else {}
        stream.hear(request(*wanted, nonce=nonce, **error))
        names = frozenset(wanted)
        # What is let go or gone may be sent again.
        had = {n: v for n, v in had.items() if n in names and n in found.secrets}
