"""The folders that the agent stands on."""

from agent.settings import Agent
from finial.runtime.files import UnsafePath, owned_directory, private_directory, sweep
from finial.runtime.reporting.audit import AuditLog
from finial.spiffe.refusal import Kind, Refusal


def prepare_directories(agent: Agent) -> None:
    """Make the agent's folders, or make sure that nobody else can write to them.

    Raises: Refusal of kind PRECONDITION.
    """
    try:
        agent.data_dir.parent.mkdir(parents=True, exist_ok=True)
        owned_directory(agent.data_dir)
        private_directory(agent.private_dir)
        private_directory(agent.storage_dir)
        sweep(agent.storage_dir)
    except UnsafePath as unsafe:
        raise Refusal(
            Kind.PRECONDITION,
            f"the folder {unsafe.path} {unsafe.fault}",
            field="data_dir",
            value=str(unsafe.path),
            remedy=unsafe.remedy,
        ) from unsafe
    except OSError as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the data directory cannot be used: {error}",
            field="data_dir",
            value=str(agent.data_dir),
            remedy="run as a user who may write there, or name another folder: --data-dir",
        ) from error


def open_audit_log(agent: Agent) -> AuditLog:
    """Open the audit log.

    Raises: Refusal of kind PRECONDITION.
    """
    try:
        return AuditLog(agent.audit_path)
    except OSError as error:
        raise Refusal(
            Kind.PRECONDITION,
            f"the audit log cannot be opened: {error}",
            field="audit_log",
            value=str(agent.audit_path),
        ) from error
