"""What is broken about a process that shall run: it is dead, not ready in spite of its time, or too large."""

from __future__ import annotations

import time
from typing import Final

from tidzam_platform.operations.supervision.bringing_up import Say, ask
from tidzam_platform.operations.supervision.remote import ENDED, SupervisorClient
from tidzam_platform.operations.supervision.table import ProcessDefinition
from tidzam_platform.operations.supervision.trees import age_s, memory_share

_POLL_S: Final = 0.2
_PATIENCE_S: Final = 10.0  # one that was ready before may just be busy


def find_fault(
    client: SupervisorClient, definition: ProcessDefinition, max_memory_share: float, say: Say
) -> str:
    """Why that process must be started again; empty where it is well.

    One that is young is waited for as long as its ``ready_s`` lasts, any other for 10 s at most.

    Args:
        client: Supervisor.
        definition: of the process.
        max_memory_share: of the machine, that it and all that it started may hold, 0 to 1.
        say: told when it is waited for.

    Raises:
        ProcessError: Supervisor refuses or is gone.
    """
    info = client.info(definition.name)
    if info.pid and (share := memory_share(info.pid)) > max_memory_share:
        return f"it holds {share:.1%} of the memory, and {max_memory_share:.1%} is the most"
    patience_s = min(_PATIENCE_S, definition.ready_s)
    began_s = time.monotonic()
    said = False
    while True:
        waited_s = time.monotonic() - began_s
        # What EXITED may be started again at once.
        if info.is_given_up or (info.state in ENDED and (info.state != "EXITED" or waited_s > patience_s)):
            return f"it is dead ({info.state.lower()}; {info.error or f'exit status {info.exit_status}'})"
        answer = ask(definition, info)
        if answer.ready:
            return ""
        ran_s = max(waited_s, age_s(info.pid) if info.pid else 0.0)
        if waited_s > patience_s and ran_s > definition.ready_s:
            return f"it is not ready though it had {ran_s:.0f} s: {answer.detail}"
        if not said:
            said = True
            say(f"{definition.name}: waiting for it; {answer.detail}")
        time.sleep(_POLL_S)
        info = client.info(definition.name)
