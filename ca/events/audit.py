"""Events as records of the audit log."""

from collections.abc import Iterator, Mapping

from ca.events.happened import Actor, CallRefused, Event
from finial.explain.hiding import BY_NAME_ALONE, Hiding
from finial.spiffe.refusal import Kind, Refusal
from finial.spiffe.selector import Selector

_DONE: Mapping[str, object] = {"outcome": "done"}


def render(event: Event, hiding: Hiding = BY_NAME_ALONE) -> Iterator[Mapping[str, object]]:
    """Return a record for each subject: kind, actor, what it is about, outcome and reason.

    Selectors are written as everybody may read them, who reads the log.
    """
    actor = render_actor(event.who)
    outcome = render_refusal(event.refusal) if isinstance(event, CallRefused) else _DONE
    for subject in event.subjects():
        shown = {name: _shown(value, hiding) for name, value in subject.items()}
        yield {"kind": event.kind, "actor": actor, **shown, **outcome}


def render_actor(actor: Actor) -> Mapping[str, object]:
    """Say who acted, leaving out what is not known."""
    members = {"id": actor.id, "address": actor.address, "uid": actor.uid, "pid": actor.pid}
    known = {name: value for name, value in members.items() if value not in {"", None}}
    return {"kind": actor.kind.value, **known}


def render_refusal(refusal: Refusal) -> Mapping[str, object]:
    """Say that it was refused, and why; the value that was wrong may be a secret and stays out."""
    return {"outcome": "refused", "refusal": refusal.kind.value, "reason": refusal.detail}


def unaudited(error: OSError) -> Refusal:
    """Say that an act is refused because the audit log cannot be written."""
    return Refusal(
        Kind.UNAVAILABLE,
        "this cannot be audited, so it is refused",
        remedy=f"make the audit log writable again ({error.strerror or 'it cannot be written'})",
    )


def _shown(value: object, hiding: Hiding) -> object:
    match value:
        case Selector():
            return hiding.shown(value)
        case tuple():
            return [_shown(each, hiding) for each in value]
        case _:
            return value
