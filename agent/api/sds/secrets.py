"""The secrets of all callers, made once for as long as what they are made of is the same."""

from collections.abc import Callable
from operator import is_
from typing import Final

from agent.api.answers import Answers
from agent.api.sds.catalogue import EVERYTHING, Catalogue, Interest, Missing, Offer
from agent.api.sds.revocation import RevocationLists
from agent.api.sds.secret import Form, Secret, Trust
from agent.api.streams import NOT_SYNCED
from agent.cache.view import Holdings
from agent.settings import Sds
from finial.runtime.clock import Clock
from finial.runtime.watch import Watch
from finial.spiffe.bundle import Bundle
from finial.spiffe.refusal import Kind
from finial.spiffe.selector import Selector

MAX_REMEMBERED: Final = 4096
SPARE: Final = 16


class Secrets:
    """Finds what a caller may have; equal callers share the same secrets."""

    def __init__(
        self, answers: Answers, holdings: Watch[Holdings], names: Sds, clock: Clock
    ) -> None:
        self.names = names
        self._answers = answers
        self._holdings = holdings
        self._clock = clock
        self._revocation = RevocationLists()
        self._of: Holdings | None = None
        self._catalogues: dict[tuple[frozenset[Selector], Form], Catalogue] = {}
        self._made: dict[tuple[object, ...], tuple[tuple[object, ...], Secret]] = {}

    def offer(self, selectors: frozenset[Selector], form: Form, interest: Interest) -> Offer:
        """What there is now for a caller with these selectors."""
        if not self._answers.is_synced:
            waiting = Missing(Kind.UNAVAILABLE, NOT_SYNCED)
            names = {*interest.names, *({EVERYTHING} if interest.everything else ())}
            return Offer(missing=dict.fromkeys(sorted(names), waiting))
        return self._catalogue(selectors, form).offer(interest)

    @property
    def remembered(self) -> int:
        """For how many kinds of callers there is a catalogue."""
        return len(self._catalogues)

    def _catalogue(self, selectors: frozenset[Selector], form: Form) -> Catalogue:
        if self._of is not self._holdings.value:
            # None of them is used again, and they hold what was: identities, and their keys.
            self._of = self._holdings.value
            self._catalogues.clear()
        view = self._answers.view(selectors)
        known = self._catalogues.get((selectors, form))
        if known is None or known.view is not view:
            if len(self._catalogues) >= MAX_REMEMBERED:
                self._catalogues.clear()
            trusts = map(self._trust, self._answers.bundles(view))
            own = self._holdings.value.trust_domain
            known = Catalogue(view, trusts, own, names=self.names, form=form, keep=self._keep)
            self._catalogues[selectors, form] = known
        return known

    def _trust(self, bundle: Bundle) -> Trust:
        holdings = self._holdings.value
        if bundle.trust_domain != holdings.trust_domain:
            return Trust(bundle)
        lists = self._revocation.beside(bundle, holdings.blocks, self._clock.now())
        return Trust(bundle, lists)

    def _keep(
        self, key: tuple[object, ...], made_of: tuple[object, ...], make: Callable[[], Secret]
    ) -> Secret:
        known = self._made.get(key)
        if known is None or not _are_same(known[0], made_of):
            self._forget()
            known = self._made[key] = (made_of, make())
        return known[1]

    def _forget(self) -> None:
        """Let what nobody needs any more go from time to time: there are keys in it."""
        holdings = self._holdings.value
        if len(self._made) > 2 * (len(holdings.svids) + len(holdings.bundles)) + SPARE:
            self._made.clear()


def _are_same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(map(is_, one, other))
