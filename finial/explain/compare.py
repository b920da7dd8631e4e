"""What keeps an entry from a process: each selector that is missing, and what comes nearest to it.

Everything is concluded from what the attestors said and from what their grammars allow; where
several things could be said, the first of these that holds is:

1. no attestor of the selector's type is known, runs here, applies to the process, or succeeded;
2. the selector's form does not exist, or its value can never be one;
3. the same name was found with another value, the same value under another name, or a key that
   is spelled almost alike;
4. nothing like it was found, and what the attestor remarked about that.
"""

import enum
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from finial.explain.evidence import ATTESTED, NOT_APPLICABLE, Evidence, Parts, Said
from finial.explain.explanation import MissingSelector
from finial.explain.hiding import Hiding, is_hidden
from finial.explain.likeness import ALIKE, MOST_COMPARED, alike, most_alike
from finial.spiffe.selector import Selector

MOST_NAMED: Final = 6


class Cause(enum.Enum):
    """Why a selector is missing; the value is how far away it is, from 0 (met) to 1."""

    HIDDEN = 0.1
    ANOTHER_NAME = 0.15
    ANOTHER_VALUE = 0.2
    ANOTHER_KEY = 0.25
    UNKNOWN_FORM = 0.3
    IMPOSSIBLE = 0.35
    FAILED = 0.4
    SETTING = 0.42
    REMARKED = 0.45
    UNKNOWN_TYPE = 0.5
    NOT_RUNNING = 0.55
    NOTHING_LIKE_IT = 0.7
    NOT_APPLICABLE = 0.8


@dataclass(frozen=True, slots=True)
class Gap:
    """One selector that an entry wants and a process has not; `closest` is what was found.

    `likeness` says from 0 to 1 how alike both are spelled; `clue` is the attestor's setting, what
    it remarked, or what another name relies on, where that is why.
    """

    wanted: Selector
    cause: Cause
    why: str
    closest: Selector | None = None
    distance: float = 1.0
    likeness: float = 0.0
    clue: str = ""

    def report(self, hiding: Hiding) -> MissingSelector:
        """Write it for others to read."""
        closest = hiding.shown(self.closest) if self.closest is not None else ""
        return MissingSelector(wanted=hiding.shown(self.wanted), closest=closest, why=self.why)


def gaps(wanted: Iterable[Selector], evidence: Evidence) -> tuple[Gap, ...]:
    """What is missing of the wanted selectors, in their order."""
    return tuple(gap(each, evidence) for each in wanted if each not in evidence.selectors)


def gap(wanted: Selector, evidence: Evidence) -> Gap:
    """Why one selector, which was not found, is missing."""
    parts = Parts.of(wanted)
    said = evidence.said.get(wanted.type)
    if said is None:
        return _nobody_looked(parts, evidence)
    impossible = _impossible(parts, evidence)
    if impossible is not None:
        return impossible
    if said.status == NOT_APPLICABLE:
        why = f"the attestor {said.name} does not apply to this process: {said.detail}"
        return _gap(parts, Cause.NOT_APPLICABLE, why, evidence)
    if said.status != ATTESTED:
        why = f"the attestor {said.name} {said.status}: {said.detail}"
        return _gap(parts, Cause.FAILED, why, evidence)
    return (
        _another_value(parts, evidence)
        or _another_name(parts, evidence)
        or _another_key(parts, evidence)
        or _nothing(parts, said, evidence)
    )


def _nobody_looked(parts: Parts, evidence: Evidence) -> Gap:
    """No attestor of that name runs: it is not configured, or not known at all."""
    name = parts.type
    if name in evidence.grammars:
        why = f"the attestor {name} does not run on this agent"
        return _impossible(parts, evidence) or _gap(parts, Cause.NOT_RUNNING, why, evidence)
    near = get_close_matches(name, sorted({*evidence.grammars, *evidence.said}), 1, ALIKE)
    if near:
        meant = Selector(near[0], parts.selector.value)
        why = f"there is no attestor {name} here; is {near[0]} meant?"
        found = meant if meant in evidence.selectors else None
        return _gap(parts, Cause.UNKNOWN_TYPE, why, evidence, found)
    why = f"no attestor of this agent is named {name}"
    return _gap(parts, Cause.UNKNOWN_TYPE, why, evidence)


def _impossible(parts: Parts, evidence: Evidence) -> Gap | None:
    """The grammar knows no such selector, so that no process ever has it."""
    forms = evidence.grammars.get(parts.type, ())
    if not forms:
        return None
    form = evidence.form(parts)
    if form is None:
        return _unknown_form(parts, [each.name for each in forms], evidence)
    if not form.pattern or re.fullmatch(form.pattern, parts.selector.value):
        return None
    same = _another_name(parts, evidence)
    if same is not None:
        return same
    why = f"no process has this ever: {parts.kind} is written like {form.example}"
    meant = _mistyped(parts, evidence)
    if meant is None:
        return _gap(parts, Cause.IMPOSSIBLE, why, evidence, _only(evidence.of_form(parts)))
    return _gap(parts, Cause.IMPOSSIBLE, f"{why}, here {meant}", evidence, meant)


def _mistyped(parts: Parts, evidence: Evidence) -> Selector | None:
    """What was found and differs in the letters' case, or in a sign between key and value."""
    if evidence.hiding.is_secret(parts.selector):
        return None
    wanted = (parts.key.casefold(), parts.value.casefold())
    found = evidence.of_form(parts)
    same = (e.selector for e in found if (e.key.casefold(), e.value.casefold()) == wanted)
    return next(same, None)


def _unknown_form(parts: Parts, names: Collection[str], evidence: Evidence) -> Gap:
    near = get_close_matches(parts.form, names, 1, ALIKE)
    if not near:
        why = f"there is no selector {parts.kind}; there are {_listed(sorted(names))}"
        same = _namesake(parts, evidence)
        found = None if same is None else same.selector
        return _gap(parts, Cause.UNKNOWN_FORM, why, evidence, found)
    rest = parts.selector.value.removeprefix(parts.form)
    meant = Selector(parts.type, near[0] + rest)
    why = f"there is no selector {parts.kind}; is {parts.type}:{near[0]} meant?"
    if meant in evidence.selectors:
        return _gap(parts, Cause.UNKNOWN_FORM, why, evidence, meant)
    other = _nearest(Parts.of(meant), evidence.of_form(Parts.of(meant)))
    return _gap(parts, Cause.UNKNOWN_FORM, why, evidence, other)


def _another_name(parts: Parts, evidence: Evidence) -> Gap | None:
    """The same key and value were found as something else."""
    found = _namesake(parts, evidence)
    if found is None:
        return None
    why = f"it is no {parts.kind}: the same was found as {found.kind}"
    form = evidence.form(found)
    gap = _gap(parts, Cause.ANOTHER_NAME, why, evidence, found.selector)
    if form is None:
        return gap
    relies = form.trusts.rstrip(".")
    return replace(gap, why=f"{why}, which relies on {relies}", clue=relies)


def _another_value(parts: Parts, evidence: Evidence) -> Gap | None:
    """The same form, and key where there is one, has another value."""
    if not evidence.has_key(parts):
        return None
    found = [each for each in evidence.of_form(parts) if each.key == parts.key]
    name = f"{parts.kind} {parts.key}".strip() if parts.key else parts.kind
    if any(is_hidden(str(each.selector)) for each in found):
        why = f"the value of {name} is never shown, so that it can only be compared on the node"
        return _gap(parts, Cause.HIDDEN, why, evidence, found[0].selector)
    namesake = _namesake(parts, evidence)
    if namesake is not None and _are_kin(namesake.form, parts.form):
        return _another_name(parts, evidence)
    closest = _nearest(parts, found)
    if len(found) > 1:
        why = f"{len(found)} selectors {name} were found, and this is none of them"
    elif evidence.hiding.is_secret(parts.selector):
        why = f"the value of {name} is another one"
    else:
        why = f"{name} is {found[0].value!r}, not {parts.value!r}{_difference(parts, found[0])}"
    if namesake is not None:
        why += f"; the same was found as {namesake.kind}"
    remark = _about(parts, evidence)
    if remark:
        # The attestor saw what is wanted and says what it is: nothing else was meant.
        near, why = Cause.ANOTHER_VALUE.value, f"{why}; {remark}"
        return Gap(parts.selector, Cause.REMARKED, why, closest, near, clue=remark)
    return _gap(parts, Cause.ANOTHER_VALUE, why, evidence, closest)


def _about(parts: Parts, evidence: Evidence) -> str:
    """What the attestor remarked about this form and this very value."""
    said = evidence.said[parts.type]
    if not parts.value or evidence.hiding.is_secret(parts.selector):
        return ""
    named = re.compile(rf"(?<!\S){re.escape(parts.value)}(?![^\s:,;])")
    about = [each for each in said.remarks if parts.kind in each and named.search(each)]
    return "; ".join(about)


def _another_key(parts: Parts, evidence: Evidence) -> Gap | None:
    """The form is there, and a key that is spelled almost alike."""
    keys = {each.key for each in evidence.of_form(parts) if each.key}
    if not parts.key or not keys:
        return None
    near = most_alike(parts.key, keys)
    if near:
        found = [each for each in evidence.of_form(parts) if each.key == near]
        why = f"{parts.kind} has no {parts.key!r} here, but {near!r}"
        return _gap(parts, Cause.ANOTHER_KEY, why, evidence, _nearest(parts, found))
    why = f"{parts.kind} has no {parts.key!r} here; there are {_listed(sorted(keys))}"
    setting = _setting(parts, evidence)
    if setting:
        why += f", as far as the attestor's setting {setting} asks for them"
    return _gap(parts, Cause.NOTHING_LIKE_IT, why, evidence)


def _nothing(parts: Parts, said: Said, evidence: Evidence) -> Gap:
    """Nothing like it; what the attestor remarked may be the reason."""
    found = evidence.of_form(parts)
    if found:
        why = f"what was found as {parts.kind} is something else"
        return _gap(parts, Cause.ANOTHER_VALUE, why, evidence, _nearest(parts, found))
    why = f"no {parts.kind} was found"
    about = [each for each in said.remarks if parts.form in re.split(r"[^\w-]+", each)]
    setting = _setting(parts, evidence)
    if setting and not about:
        why += f": it is given where the attestor's setting {setting} asks for it"
        return Gap(parts.selector, Cause.SETTING, why, None, Cause.SETTING.value, clue=setting)
    remarks = "; ".join(each.removeprefix(f"no {parts.kind}: ") for each in about or said.remarks)
    if remarks:
        why += f": {remarks}"
        return Gap(parts.selector, Cause.REMARKED, why, None, Cause.REMARKED.value, clue=remarks)
    return _gap(parts, Cause.NOTHING_LIKE_IT, why, evidence)


def _setting(parts: Parts, evidence: Evidence) -> str:
    form = evidence.form(parts)
    return "" if form is None else form.setting


def _gap(
    parts: Parts, cause: Cause, why: str, evidence: Evidence, closest: Selector | None = None
) -> Gap:
    likeness = 0.0
    if closest is not None and not evidence.hiding.is_secret(parts.selector):
        likeness = _likeness(parts, Parts.of(closest))
    # Of equally near causes, the one with the more similar text is nearer, by a little.
    return Gap(parts.selector, cause, why, closest, cause.value - 0.09 * likeness, likeness)


def _likeness(parts: Parts, found: Parts) -> float:
    # Numbers are names of something else altogether, however alike their digits are.
    if parts.value.isdigit() and found.value.isdigit() and parts.value != found.value:
        return 0.0
    wanted, have = parts.key + parts.value, found.key + found.value
    return alike(wanted.casefold(), have.casefold())


def _difference(parts: Parts, found: Parts) -> str:
    wanted, have = parts.value, found.value
    if wanted.casefold() == have.casefold():
        return "; only upper and lower case differ"
    if wanted.strip(" '\"") == have.strip(" '\""):
        return "; only spaces or quotes around it differ"
    if min(len(wanted), len(have)) >= 3 and (have.startswith(wanted) or wanted.startswith(have)):
        return "; one is the beginning of the other"
    return ""


def _nearest(parts: Parts, found: Collection[Parts]) -> Selector | None:
    """The found selector that is spelled most alike; one alone is near in any case."""
    if len(found) == 1:
        return _only(found)
    by_value = {each.value: each.selector for each in found}
    return by_value.get(most_alike(parts.value, by_value))


def _namesake(parts: Parts, evidence: Evidence) -> Parts | None:
    """What was found with the same key and value as something else, of the same type first."""
    if evidence.hiding.is_secret(parts.selector):
        return None
    same = [
        each
        for each in evidence.same_content(parts)[:MOST_COMPARED]
        if each.kind != parts.kind and not evidence.hiding.is_secret(each.selector)
    ]
    return min(same, key=lambda each: (each.type != parts.type, each.kind), default=None)


def _are_kin(one: str, other: str) -> bool:
    """Whether one form is a special case of the other, as `supplementary_gid` is of `gid`.

    The same value in both is more than chance: it is what was meant.
    """
    return one.endswith(f"_{other}") or other.endswith(f"_{one}")


def _only(found: Collection[Parts]) -> Selector | None:
    return next(iter(found)).selector if len(found) == 1 else None


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:MOST_NAMED])
    return f"{shown} and others" if len(names) > MOST_NAMED else shown
