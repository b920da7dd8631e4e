"""The selectors of the systemd attestor, and what each of them relies on."""

from typing import Final

from attestors.contract import SelectorForm, SelectorGrammar

NAME: Final = "systemd"
UNIT: Final = r"[A-Za-z0-9:_.\\@-]{1,247}\.(?:service|scope|socket|mount|swap)"
_SLICE: Final = r"[A-Za-z0-9:_.\\@-]{1,249}\.slice"
_MANAGER: Final = "the system's service manager, process 1"

GRAMMAR: Final = SelectorGrammar(
    NAME,
    (
        SelectorForm(
            "id",
            f"id:{UNIT}",
            "systemd:id:web.service",
            f"{_MANAGER}, whose units only root makes, and the kernel: the process is in the "
            "unit's control group",
            "which of the unit's processes it is: whatever the service starts is the service; and "
            "with Delegate=yes and User=, any process that this user had moved there",
        ),
        SelectorForm(
            "fragment_path",
            r"fragment_path:/[^\n]+",
            "systemd:fragment_path:/etc/systemd/system/web.service",
            f"{_MANAGER}: the file that the unit was loaded from",
            "what the file says now, and which drop-ins change it",
        ),
        SelectorForm(
            "slice",
            f"slice:{_SLICE}",
            "systemd:slice:payments.slice",
            f"{_MANAGER}: the slice that the unit was put in",
            "which unit of the slice it is",
        ),
        SelectorForm(
            "invocation_id",
            r"invocation_id:[0-9a-f]{32}",
            f"systemd:invocation_id:{'4be1' * 8}",
            f"{_MANAGER}: this run of the unit, until it is started again",
            "that the process began in this run: with KillMode=process some outlive a restart",
        ),
        SelectorForm(
            "user_unit",
            rf"user_unit:\d{{1,10}}:{UNIT}",
            "systemd:user_unit:1000:notes.service",
            f"{_MANAGER} and the kernel for the user: the process is below that user's own "
            "service manager",
            "the unit's name, which that user chooses; it tells apart what the user keeps apart",
        ),
    ),
)
