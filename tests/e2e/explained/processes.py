"""Reports about which process it was, and what the kernel says of it."""

from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Stage, refusal_id

WEB, OTHER = 61001, 61002


@situation("spiffe/spire#1108", "spiffe/spire#4957")
def another_process(stage: Stage) -> None:
    """The same command works in one shell and not in another

    The service has its identity. The same command typed in another shell on the same machine is
    told `no identity issued`, and nothing says that it is another process with another user.
    """
    stage.start()
    stage.entry("/web", f"unix:uid:{WEB}")
    stage.until_served(WEB)
    stage.ask("finial fetch x509", uid=WEB)
    refused = stage.ask("finial fetch x509", uid=OTHER, who="me$")
    refused.names("no identity issued")
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names(f"uid {OTHER}", "spiffe://example.org/web", f"unix:uid:{WEB}", f"unix:uid:{OTHER}")
    stage.type(f"finial entry create spiffe://example.org/me --selector unix:uid:{OTHER}")
    stage.until_served(OTHER)


@situation("spiffe/spire#1657")
def supplementary_group(stage: Stage) -> None:
    """The process is a member of the group, and `unix:gid` does not match

    A user's second group is no `gid` of the process: it is a supplementary one, which has a
    selector of its own.
    """
    stage.start()
    stage.entry("/web", "unix:gid:1002")
    refused = stage.ask("finial fetch x509", uid=WEB, groups=[1002])
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("unix:gid:1002", "unix:supplementary_gid:1002", "the same was found as")
    stage.fixed(said)
    stage.until_served(WEB, groups=[1002])


@situation("spiffe/spire#3702", "spiffe/spire#2040", "spiffe/spire#973")
def user_without_a_name(stage: Stage) -> None:
    """`unix:user` does not match because the uid has no name here

    In a container or a small image `/etc/passwd` does not know the uid. The lookup failed in
    silence, and the entry that names the user never matched.
    """
    stage.start()
    stage.entry("/web", "unix:user:web")
    refused = stage.ask("finial fetch x509", uid=WEB)
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names("unix:user:web", f"uid {WEB} has no name")


@situation("spiffe/spire#2326")
def another_identity(stage: Stage) -> None:
    """A token for an ID that the caller does not have, though it has another

    The caller shares a selector with the entry that it asks for, has an identity of its own, and
    got an answer without a token and without a reason.
    """
    stage.start()
    stage.entry("/web", f"unix:uid:{WEB}")
    stage.entry("/admin", f"unix:uid:{WEB}", "unix:gid:4")
    stage.until_served(WEB)
    refused = stage.ask(
        "finial fetch jwt --audience db --spiffe-id spiffe://example.org/admin", uid=WEB
    )
    said = stage.type(f"finial explain --refusal {refusal_id(refused)}")
    said.names(
        "spiffe://example.org/admin", "unix:gid:4", f"unix:gid:{WEB}", "spiffe://example.org/web"
    )


@situation("spiffe/spire#2651", "spiffe/spire#6179", "spiffe/spire#6936")
def many_at_once(stage: Stage) -> None:
    """Which of the many callers was refused, and with which selectors

    The refusal stood in one line of the log, the selectors in another, and with many callers
    nobody could tell which belonged to which. Here the refused workload is told an id, and the
    operator lists the newest refusals or looks one up.
    """
    stage.start()
    stage.entry("/web", f"unix:uid:{WEB}")
    told = [stage.ask("finial fetch x509", uid=uid, who=f"{uid}$") for uid in (61003, 61004)]
    stage.ask("finial fetch jwt --audience db", uid=61003, who="61003$")
    ids = [refusal_id(each) for each in told]
    assert len(set(ids)) == 2
    listed = stage.type("finial explain --last-refusals")
    listed.names(*ids, "61003", "61004")
    said = stage.type(f"finial explain --refusal {ids[0]}")
    said.names("unix:uid:61003")
    assert "61004" not in said
    stage.ask(f"finial explain --refusal {ids[1]}", uid=61003, who="61003$").refused()
    mine = stage.ask("finial explain --self", uid=61003, who="61003$")
    mine.names("unix:uid:61003")
    assert "spiffe://example.org/web" not in mine


@situation("spiffe/spire#3784")
def health_check(stage: Stage) -> None:
    """A health check looks like a refused workload

    The check asked the Workload API as a workload without an entry, and every few seconds the log
    had an error of a healthy agent.
    """
    stage.start()
    stage.type("finial healthcheck").names("agent is healthy")
    listed = stage.type("finial explain --last-refusals")
    assert listed.status == 0
    listed.names("nobody was refused")
