"""The rules by which labels move, versions are retired, and folders become garbage. Nothing here touches a disk.

Each rule takes a state and gives the next one with the change that led there. A rule that finds its work done gives
the same state and the change that did it, so that a command can be repeated.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final, Literal

from serving.repository.change import GATE, LABELS, PROMOTE, REMOVE_LABEL, RETIRE, ROLLBACK, Author, Change
from serving.repository.state import State
from serving.signature import CANARY, STABLE
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import GateRefusedError, ModelRepositoryError

AfterGate = Literal["stable", "canary", "nothing"]

FIRST_REASON: Final = "the first generation that passed the gate"
PASSED_REASON: Final = "passed the gate"
_MAX_HISTORY: Final = 1000  # entries; at one generation a day that is three years
_MAX_FORMER: Final = 1000


def promote(state: State, version: int, label: str, author: Author) -> tuple[State, Change]:
    """Give ``label`` to ``version``; a canary that becomes stable stops being canary."""
    if label not in LABELS:
        raise ModelRepositoryError(f"the labels are {' and '.join(LABELS)}, not {label!r}")
    if (retired := state.retired.get(version)) is not None:
        raise ModelRepositoryError(
            f"version {version} was retired ({_said(retired)}): it is never served again; "
            "./tidzam generation service shows the others"
        )
    stable = state.version_of(STABLE)
    if state.version_of(label) == version:
        return state, state.labels[label]
    if label == CANARY and stable in (None, version):
        raise ModelRepositoryError(
            f"version {version} is stable: it cannot be tried beside itself"
            if stable == version
            else "nothing is stable yet, so there is nothing to try a canary beside: promote it without --label"
        )
    change = author.change(PROMOTE, label, version, state.version_of(label))
    return _relabelled(state, change, (stable,) if label == STABLE and stable is not None else ()), change


def rollback(
    state: State, available: Collection[int], author: Author, expected: int | None = None
) -> tuple[State, Change]:
    """Give ``stable`` back to the version that had it before; the one that loses it is not gone back to.

    Args:
        state: as it is.
        available: versions that are on the disk.
        author: who does it, and why.
        expected: the version to get away from. Where another is stable by now nothing changes: it is fine if a
            rollback led away from it just now, else an error. Two people who see the same fault, or one who repeats
            a command, then do not go back two steps.
    """
    stable = state.labels.get(STABLE)
    if stable is None:
        raise ModelRepositoryError("nothing is stable yet: there is nothing to go back from")
    if expected is not None and stable.version != expected:
        if stable.action == ROLLBACK and stable.previous_version == expected:
            return state, stable
        raise ModelRepositoryError(
            f"version {stable.version} is stable ({_said(stable)}), not {expected}: nothing was changed"
        )
    target = state.rollback_target(available)
    if target is None:
        raise ModelRepositoryError(
            f"no version was stable before {stable.version} that is still there and not retired: "
            "./tidzam generation promote names one"
        )
    change = author.change(ROLLBACK, STABLE, target, stable.version)
    return _relabelled(state, change, ()), change


def remove_label(state: State, label: str, author: Author) -> tuple[State, Change]:
    """Take ``canary`` from the version that has it."""
    if label != CANARY:
        raise ModelRepositoryError(
            f"only {CANARY} can be removed, not {label!r}: rollback or promote move {STABLE}"
        )
    canary = state.version_of(CANARY)
    if canary is None:
        raise ModelRepositoryError("no version is canary: there is nothing to remove")
    change = author.change(REMOVE_LABEL, CANARY, canary, canary)
    labels = {name: kept for name, kept in state.labels.items() if name != CANARY}
    return replace(state, labels=labels, history=_longer(state, change)), change


def retire(state: State, version: int, available: Collection[int], author: Author) -> tuple[State, Change]:
    """Keep ``version``, which is not in service, from it for ever."""
    if (retired := state.retired.get(version)) is not None:
        return state, retired
    if (label := state.label_of(version)) is not None:
        raise ModelRepositoryError(
            f"version {version} is {label}: "
            + (
                "promote another or roll back first"
                if label == STABLE
                else "take the label away first (./tidzam generation remove-label canary)"
            )
        )
    if state.in_service(available) == version:  # nothing was promoted yet
        raise ModelRepositoryError(f"version {version} is in service as the newest: promote another first")
    change = author.change(RETIRE, None, version, None)
    former = tuple(one for one in state.former if one != version)
    retired_now = {**state.retired, version: change}
    return replace(state, retired=retired_now, former=former, history=_longer(state, change)), change


def introduce(
    state: State, version: int, available: Collection[int], after_gate: AfterGate, judged_beside: int | None
) -> tuple[State, Change | None]:
    """What the gate does with a generation that it passed: once, and never with one older than it met before.

    Its verdict is on what it compared: it makes stable only what was ``judged_beside`` the one that it would replace.
    A canary replaces nothing, so any verdict will do.
    """
    if version <= state.newest_introduced or version in state.retired:
        return state, None
    stable = state.version_of(STABLE)
    if stable is None:
        if state.in_service(available) not in (
            None,
            version,
        ):  # a newer one, which nobody labelled, is served
            return state, None
        return promote(state, version, STABLE, Author(GATE, FIRST_REASON))
    if after_gate == "nothing":
        return replace(state, newest_introduced=version), None
    if after_gate == STABLE and judged_beside != stable:
        raise GateRefusedError(
            f"generation {version} was judged beside {judged_beside or 'none'}, and {stable} is stable by now: "
            "run the gate again (./tidzam generation run --dataset VERSION)"
        )
    return promote(state, version, after_gate, Author(GATE, PASSED_REASON))


def garbage(state: State, available: Collection[int], keep: int) -> list[int]:
    """Versions of ``available`` that nobody needs, ascending: retired ones, and all but the ``keep`` newest others.

    Never a labelled one, the one in service, the one that rollback would go to, nor the newest of all while nobody
    has decided about it: it was published a moment ago.
    """
    needed = {change.version for change in state.labels.values()}
    needed |= {state.rollback_target(available) or 0, state.in_service(available) or 0}
    newest = max(available, default=0)
    if newest > state.newest_introduced and newest not in state.retired:
        needed.add(newest)
    retired = {version for version in available if version in state.retired}
    unlabelled = sorted(
        (version for version in set(available) - retired if state.label_of(version) is None), reverse=True
    )
    return sorted((retired | set(unlabelled[keep:])) - needed)


def _relabelled(state: State, change: Change, pushed: tuple[int, ...]) -> State:
    """``state`` after ``change`` gave a label to a version; ``pushed`` becomes the first to go back to."""
    assert change.label is not None  # noqa: S101 - told to the type checker
    labels = {name: kept for name, kept in state.labels.items() if kept.version != change.version}
    labels[change.label] = change
    former = state.former
    if change.label == STABLE:
        leaving = {change.version, *pushed}
        if (
            change.action == ROLLBACK
        ):  # what lay between was skipped as removed: it stays skipped if it comes back
            former = former[: former.index(change.version)]
        former = (*(one for one in former if one not in leaving), *pushed)
    return replace(
        state,
        labels=labels,
        former=former[-_MAX_FORMER:],
        newest_introduced=max(state.newest_introduced, change.version),
        history=_longer(state, change),
    )


def _longer(state: State, change: Change) -> tuple[Change, ...]:
    return (*state.history, change)[-_MAX_HISTORY:]


def _said(change: Change) -> str:
    return f"{change.action} by {change.by}, {format_utc(change.time)}: {change.reason}"
