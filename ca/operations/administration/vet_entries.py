"""Registrations are checked against what attestors give and agents run.

What nothing gives is refused, unless whoever registers insists; over SPIRE's own API, whose
clients know no such refusal, it is written down instead.
"""

import enum
import logging
from collections.abc import Sequence
from functools import cache, partial

from ca.events.happened import Actor, EntryDoubted
from ca.operations.world import World
from ca.registry.advice import advise
from ca.registry.entry import Entry
from ca.registry.index.node_aliases import is_alias
from ca.registry.selectors.judge import Objection, Surroundings, judge_selectors
from ca.registry.selectors.running import unattested
from ca.registry.whereabouts.reach import undescribed, unreached_parent
from finial.spiffe.selector import Selector

_TOLD = 3
_logger = logging.getLogger("finial.ca.vet")


class Vetting(enum.Enum):
    """What becomes of an entry that nobody could match."""

    REFUSE = "refuse"
    INSIST = "insist"
    NOTE = "note"


class Vetter:
    """Judges the entries of one call, by what is known when it is made."""

    def __init__(self, world: World, vetting: Vetting) -> None:
        self._vetting = vetting
        self._around = surroundings(world)
        self._doubted: dict[str, tuple[Objection, ...]] = {}

    def settle(self) -> "Vetter":
        """Look around now, so that entries can be judged in another thread."""
        self._around.held()
        self._around.is_whole()
        return self

    def admit(self, entry: Entry, settled: tuple[Selector, ...] = ()) -> Entry:
        """Give the entry back, noting what is wrong with it; `settled` selectors are let be.

        Raises: Refusal of kind INVALID, unless it is to be noted alone.
        """
        objections = judge_selectors(entry, self._around, settled)
        if objections and self._vetting is Vetting.REFUSE:
            raise objections[0].refusal()
        if objections:
            self._doubted[entry.id] = objections
        return entry

    def doubted(self, actor: Actor, stored: Sequence[object]) -> list[EntryDoubted]:
        """Tell of the entries that were stored in spite of an objection."""
        insisted = self._vetting is Vetting.INSIST
        events = [
            EntryDoubted(actor, each, tuple(map(str, self._doubted[each.id])), insisted)
            for each in stored
            if isinstance(each, Entry) and each.id in self._doubted
        ]
        if events:
            told = [f"{event.entry.id} ({event.doubts[0]})" for event in events[:_TOLD]]
            more = f" and {len(events) - _TOLD} more" if len(events) > _TOLD else ""
            _logger.warning("no attestor gives what entries ask for: %s%s", ", ".join(told), more)
        return events


class Adviser:
    """Warns the author of entries, by what is known when it is made."""

    def __init__(self, world: World) -> None:
        known = world.known
        self._ca_ttl = world.settings.server.ca_ttl
        self._around = surroundings(world)
        # The entries of one call often have one parent, which is looked for once.
        self._unreached = cache(partial(unreached_parent, entries=known.entries, nodes=known.nodes))
        self._nodes = known.nodes

    def warnings(self, entry: Entry) -> tuple[str, ...]:
        """Say what the author of the entry may not have meant."""
        if is_alias(entry):
            reach = undescribed(entry, self._nodes)
        else:
            reach = self._unreached(entry.parent_id)
        return (
            *advise(entry, self._ca_ttl),
            *unattested(entry, self._around),
            *((reach,) if reach else ()),
        )


def surroundings(world: World) -> Surroundings:
    """What selectors are judged by, at this moment."""
    nodes, fleet, now = world.known.nodes, world.streams.fleet, world.clock.now()
    return Surroundings(
        world.vocabulary, fleet, cache(nodes.types), cache(lambda: fleet.is_whole(nodes, now))
    )
