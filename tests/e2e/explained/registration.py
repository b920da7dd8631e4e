"""Reports about entries that could never match: they are refused when they are made."""

from tests.e2e.explained.situation import situation
from tests.e2e.explained.stage import Stage, refusal_id, sleeper


@situation("spiffe/spire#1569")
def misspelt_key(stage: Stage) -> None:
    """`pod_name` instead of `pod-name`, accepted without a word

    The entry was made, looked right in a list, and never matched anything. Here it is refused with
    the spelling that was meant. Whoever insists with `--force` gets it, and finds the same words in
    the explanation.
    """
    stage.start()
    wish = "finial entry create spiffe://example.org/web --selector"
    refused = stage.type(f"{wish} k8s:pod_name:web-0")
    refused.refused()
    refused.names("k8s:pod_name", "k8s:pod-name:web-0")
    refused = stage.type(f"{wish} unix:user_name:web")
    refused.refused()
    refused.names("unix:user")
    stage.type(f"{wish} unix:user_name:web --force").names("unix:user_name:web")
    denied = stage.ask("finial fetch x509", uid=61001)
    said = stage.type(f"finial explain --refusal {refusal_id(denied)}")
    said.names("there is no selector unix:user_name; is unix:user meant?")


@situation("spiffe/spire#1314")
def colon_in_the_type(stage: Stage) -> None:
    """A selector whose type is `unix:user`, or whose type nobody has

    By an API the type and the value are two fields, and a type with a colon in it was stored as it
    came. It prints like a good selector and equals none.
    """
    stage.start()
    for selector, meant in (
        ("Unix:uid:1000", "unix:uid:1000"),
        ("dokcer:label:app:web", "docker:label:app:web"),
        ("unix:uid:web", "unix:user:web"),
    ):
        wish = f"finial entry create spiffe://example.org/web --selector {selector}"
        refused = stage.type(wish)
        refused.refused()
        refused.names(selector, meant)


@situation("spiffe/spire#215", "spiffe/spire-controller-manager#87")
def nothing_registered(stage: Stage) -> None:
    """Nothing is registered, and nobody knows what could be

    Which selectors a process has could be read in a debug log, one line a call. Here the agent
    proposes them, with what each relies on, before anybody has to guess.
    """
    stage.start()
    with sleeper(61001, groups=[1002]) as pid:
        said = stage.type(f"finial simulate --pid {pid}")
        said.names("no entry", stage.agent_id(), f"finial entry create --for-pid {pid}")
        stage.fixed(said).names("unix:uid:61001", "unix:supplementary_gid:1002")
        stage.type(
            f"finial entry create spiffe://example.org/web --for-pid {pid} --select unix:uid"
        ).names("unix:uid:61001")
        stage.until_served(61001)
        stage.type(f"finial simulate --pid {pid}").names("would be served")
