"""What was found out about one process, in the form in which entries are compared with it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from finial.explain.explanation import AttestorReport
from finial.explain.hiding import Form, Grammars, Hiding, form_name
from finial.spiffe.refusal import Refusal
from finial.spiffe.selector import Selector

ATTESTED: Final = "attested"
NOT_APPLICABLE: Final = "not applicable"
FAILED: Final = "failed"
DENIED: Final = "denied"


class Parts(NamedTuple):
    """A selector taken apart: `docker:label:app:web` is label, app and web.

    `key` is empty where a value has no name of its own, as in `unix:uid:1000`.
    """

    type: str
    form: str
    key: str
    value: str
    selector: Selector

    @classmethod
    def of(cls, selector: Selector) -> Self:
        """Take a selector apart at its colons, or at equals signs in the place of one."""
        form = form_name(selector.value)
        rest = selector.value[len(form) + 1 :]
        ends = [at for at in (rest.find("="), rest.find(":")) if at > 0]
        if not ends:
            return cls(selector.type, form, "", rest, selector)
        key, value = rest[: min(ends)], rest[min(ends) + 1 :]
        return cls(selector.type, form, key, value, selector)

    @property
    def kind(self) -> str:
        """What it is a selector of, such as `docker:label`."""
        return f"{self.type}:{self.form}"


@dataclass(frozen=True, slots=True)
class Said:
    """What one attestor said of a process; `status` is one of the words of an AttestorReport."""

    name: str
    status: str
    selectors: tuple[Selector, ...] = ()
    remarks: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    detail: str = ""

    @classmethod
    def of(cls, report: AttestorReport) -> Self:
        """Read what another process reported; what is no selector is passed over."""
        parsed = (_selector(text) for text in report.selectors)
        selectors = tuple(each for each in parsed if each is not None)
        return cls(
            report.name, report.status, selectors, report.remarks, report.facts, report.detail
        )

    def report(self, hiding: Hiding) -> AttestorReport:
        """Write it for others to read, its selectors in order."""
        return AttestorReport(
            name=self.name,
            status=self.status,
            selectors=tuple(map(hiding.shown, sorted(self.selectors))),
            facts=self.facts,
            remarks=self.remarks,
            detail=self.detail,
        )


class Evidence:
    """All that was said of one process, and the grammars of what can be said at all."""

    def __init__(self, said: Iterable[Said], grammars: Grammars) -> None:
        self.said: Mapping[str, Said] = {each.name: each for each in said}
        self.grammars = grammars
        self.hiding = Hiding(grammars)
        self.selectors = frozenset(s for each in self.said.values() for s in each.selectors)
        self._by_type: dict[str, list[Parts]] = defaultdict(list)
        self._by_content: dict[tuple[str, str], list[Parts]] = defaultdict(list)
        for selector in sorted(self.selectors):
            parts = Parts.of(selector)
            self._by_type[parts.type].append(parts)
            self._by_content[parts.key, parts.value].append(parts)
        self._kinds = frozenset((p.type, p.form) for each in self._by_type.values() for p in each)
        self._keys = frozenset(p[:3] for each in self._by_type.values() for p in each)

    def has_form(self, parts: Parts) -> bool:
        """Whether any selector of the same type and form was found."""
        return (parts.type, parts.form) in self._kinds

    def has_key(self, parts: Parts) -> bool:
        """Whether a selector was found that differs in its value alone."""
        return parts[:3] in self._keys

    def of_form(self, parts: Parts) -> list[Parts]:
        """What was found of the same type and form."""
        return [each for each in self._by_type.get(parts.type, ()) if each.form == parts.form]

    def same_content(self, parts: Parts) -> list[Parts]:
        """What was found with the same key and value, under whatever name."""
        return self._by_content.get((parts.key, parts.value), [])

    def form(self, parts: Parts) -> Form | None:
        """The form that a selector has, where the grammar knows it."""
        forms = self.grammars.get(parts.type, ())
        return next((form for form in forms if form.name == parts.form), None)


def _selector(text: str) -> Selector | None:
    try:
        return Selector.parse(text)
    except Refusal:
        return None
