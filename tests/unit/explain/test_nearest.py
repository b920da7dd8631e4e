"""Which entries come nearest."""

from finial.explain.evidence import Said
from finial.explain.explanation import AttestorReport, MissingSelector
from finial.explain.hiding import Hiding
from finial.explain.nearest import nearest
from tests.doubles.entitlements import entitlement
from tests.doubles.evidence import GRAMMARS, attested, evidence

KNOWN = evidence(
    attested("unix", "uid:1000", "path:/usr/bin/web"),
    attested("docker", "label:app:webb", "env:TOKEN=s3cret"),
)


def test_the_nearest_comes_first() -> None:
    """Fewer missing selectors, with values that are nearly right, before others."""
    entries = [
        entitlement("far", "k8s:ns:shop"),
        entitlement("typo", "docker:label:app:web", "unix:uid:1000"),
        entitlement("other-user", "unix:uid:1001"),
        entitlement("foreign", "unix:path:/usr/bin/db", "unix:uid:7", "unix:gid:7"),
        entitlement("stranger", "unknown:x:y"),
        entitlement("without", "docker:image_id:1"),
    ]
    found = nearest(entries, KNOWN, 10)
    assert [each.entry.id for each in found][:2] == ["typo", "other-user"]
    assert found[-1].entry.id == "without"
    assert len(nearest(entries, KNOWN, 2)) == 2
    assert [each.distance for each in found] == sorted(each.distance for each in found)


def test_one_that_matches_has_no_gaps() -> None:
    """An entry whose selectors are all there is at distance 0, one without any is passed over."""
    [found] = nearest(
        [entitlement("web", "unix:uid:1000"), entitlement("none").__class__(**_empty())], KNOWN, 5
    )
    assert (found.gaps, found.distance) == ((), 0)


def test_many_entries_are_compared_coarsely_first() -> None:
    """Among very many entries the one that is nearly right is found."""
    many = [entitlement(f"e{n}", f"unix:path:/opt/{n}", f"unix:gid:{n}") for n in range(500)]
    many += [entitlement(f"l{n}", f"docker:label:owner:{n}") for n in range(100)]
    typo = entitlement("typo", "docker:label:app:web", "unix:uid:1000")
    assert nearest([*many, typo], KNOWN, 3)[0].entry is typo


def test_a_report_hides_what_is_secret() -> None:
    """Reports of entries and of attestors carry no secret value."""
    entry = entitlement("web", "docker:env:TOKEN=other", "unix:uid:1000")
    [found] = nearest([entry], KNOWN, 1)
    report = found.report(KNOWN, "its SVID is not signed")
    assert report.selectors == ("docker:env:TOKEN=(hidden)", "unix:uid:1000")
    assert report.missing == (
        MissingSelector(
            wanted="docker:env:TOKEN=(hidden)",
            closest="docker:env:TOKEN=(hidden)",
            why="the value of docker:env TOKEN is another one",
        ),
    )
    assert (report.id, report.spiffe_id) == ("web", "spiffe://example.org/web")
    assert report.state == "its SVID is not signed"


def test_what_an_attestor_said_travels_as_a_report() -> None:
    """A report is read back without what is no selector, and its secrets stay hidden."""
    hiding = Hiding(GRAMMARS)
    said = attested("docker", "label:a:b", "env:TOKEN=s3cret", remarks=("a remark",))
    report = said.report(hiding)
    assert report.selectors == ("docker:env:TOKEN=(hidden)", "docker:label:a:b")
    assert Said.of(report).report(hiding) == report
    broken = AttestorReport(name="docker", status="attested", selectors=("x", "docker:label:a:b"))
    assert len(Said.of(broken).selectors) == 1


def _empty() -> dict[str, object]:
    one = entitlement("empty")
    return {"id": one.id, "spiffe_id": one.spiffe_id, "selectors": ()}
