"""The selectors of the unix attestor, and what each of them relies on."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar

NAME: Final = "unix"
_NUMBER: Final = r"\d{1,10}"
_WORD: Final = r"[^:\s][^:\n]{0,255}"
_PROGRAM: Final = "which of the user's programs it is"
_USER: Final = "which of the group's users it is, and which program"

GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        SelectorForm(
            "uid",
            rf"uid:{_NUMBER}",
            "unix:uid:1000",
            "the kernel: the effective user ID at connecting, still the same when looked at",
            _PROGRAM,
        ),
        SelectorForm(
            "user",
            rf"user:{_WORD}",
            "unix:user:web",
            "the kernel for the user ID, and this machine's user database for its name",
            _PROGRAM,
        ),
        SelectorForm(
            "gid",
            rf"gid:{_NUMBER}",
            "unix:gid:1000",
            "the kernel: the effective group ID at connecting, still the same when looked at",
            _USER,
        ),
        SelectorForm(
            "group",
            rf"group:{_WORD}",
            "unix:group:web",
            "the kernel for the group ID, and this machine's group database for its name",
            _USER,
        ),
        SelectorForm(
            "supplementary_gid",
            rf"supplementary_gid:{_NUMBER}",
            "unix:supplementary_gid:2000",
            "the kernel: a group that the process had when it was looked at",
            _USER,
        ),
        SelectorForm(
            "supplementary_group",
            rf"supplementary_group:{_WORD}",
            "unix:supplementary_group:payments",
            "the kernel for the group ID, and this machine's group database for its name",
            _USER,
        ),
        SelectorForm(
            "path",
            r"path:/[^\n]+",
            "unix:path:/usr/local/bin/web",
            "the kernel: that file runs; and that only trusted people can write to it",
            "who runs it, with which arguments and libraries: whoever may has the selector too, so "
            "name the user as well",
        ),
        SelectorForm(
            "sha256",
            r"sha256:[0-9a-f]{64}",
            f"unix:sha256:{'5f' * 32}",
            "the kernel: the content of the running file, in a container as well; not given of a "
            "file system that a user may have mounted in a namespace of their own",
            "what it loads: of a script this is the interpreter; and who runs it: whoever has such "
            "a file has the selector too, so name the user as well",
        ),
        SelectorForm(
            "cgroup",
            r"cgroup:/[^\n]+",
            "unix:cgroup:/system.slice/web.service",
            "the kernel: the control group in which the process is, whole, down to the first that "
            "root gave to somebody else",
            "what lies below a group that root gave away; there its owner moves processes about",
            setting="discover_cgroup",
        ),
    ),
)
