"""The model repository as everybody uses it: versions, and which of them serve.

Whatever changes labels or removes versions holds one lock on ``models/serving/state.lock`` from its first look to its
last write. ``state.json`` is what counts and is replaced in one step; ``models.config`` follows it. A process that is
killed between the two leaves a configuration that lags behind: the next one that changes anything, or that calls
``write_server_files`` as every model server does when it starts, brings it up to date.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

from serving.repository import rules, server_files
from serving.repository.change import Change, person
from serving.repository.rules import AfterGate
from serving.repository.state import State
from serving.repository.state_file import read_state, write_state, write_text
from serving.repository.version_folders import VersionFolders
from serving.signature import STABLE
from tidzam_platform.crash_points import reach
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.settings import BatchingSettings


class ModelRepository(VersionFolders):
    """Versions of the model below ``models_folder``: whole or not there, signed, and never changed.

    Args:
        models_folder: holds ``tidzam/`` (the versions) and ``serving/`` (labels, files for servers).
        secrets_folder: holds the signing key and the keys that are trusted; ``secrets`` beside ``models_folder``
            unless told otherwise.
    """

    def __init__(self, models_folder: Path, secrets_folder: Path | None = None) -> None:
        models_folder = models_folder.absolute()  # server files name it, and servers run anywhere
        super().__init__(models_folder, secrets_folder or models_folder.parent / "secrets")

    def labels(self) -> dict[str, int]:
        """Version by label, e.g. ``{"stable": 3, "canary": 4}``; empty while nothing was ever promoted."""
        return {label: change.version for label, change in self._read().labels.items()}

    def label_changes(self) -> dict[str, Change]:
        """The change that gave each label to the version that has it: since when, by whom and why."""
        return dict(self._read().labels)

    def retired(self) -> list[int]:
        """Versions that never serve again, ascending; their folders may be gone."""
        return sorted(self._read().retired)

    def retirements(self) -> dict[int, Change]:
        """The change that retired each version: since when, by whom and why."""
        return dict(self._read().retired)

    def history(self) -> list[Change]:
        """Changes of labels and retirements, the oldest first; the newest 1000 are kept."""
        return list(self._read().history)

    def in_service(self) -> int | None:
        """The stable version; before the first promotion the newest that is not retired; None if there is none."""
        return self._read().in_service(self.versions())

    def rollback_target(self) -> int | None:
        """The version that ``rollback`` would make stable; None if there is none."""
        return self._read().rollback_target(self.versions())

    def publish(self, version: int, staged: Path) -> Path:
        """As ``VersionFolders.publish``; a version that was retired is not published again."""
        self.require_publishable(version)
        return super().publish(version, staged)

    def require_publishable(self, version: int) -> None:
        """ModelRepositoryError if ``version`` was retired and its folder is gone: it never serves again."""
        retired = self._read().retired.get(version)
        if retired is not None and version not in self.versions():
            raise ModelRepositoryError(
                f"version {version} was retired by {retired.by} ({retired.reason}) and removed: it is not published "
                "again; train another generation"
            )

    def promote(self, version: int, *, by: str, reason: str, label: str = STABLE) -> Change:
        """Give ``label`` to ``version``; where it has it already, nothing changes and that change is returned.

        A canary that becomes stable stops being canary.

        Args:
            version: one that is there, whole, signed and not retired.
            by: who does it.
            reason: why.
            label: ``stable``, or ``canary`` for one that is tried beside the stable one.

        Raises:
            ModelRepositoryError: it cannot have that label.
            BusyError: somebody else has been changing the repository for very long.
        """
        author = person(by, reason)
        with self._locked_state() as before:
            self.path(version)  # whether it is there at all comes before what it is
            after, change = rules.promote(before, version, label, author)
            self.verify(version)
            self._keep(before, after)
        return change

    def introduce(self, version: int, after_gate: AfterGate, *, judged_beside: int | None) -> Change | None:
        """Do with a published generation what follows from its having passed the gate; None if that is nothing.

        The first one becomes stable, later ones what ``after_gate`` says. Done once: a version that was introduced,
        or is older than one that was introduced or promoted, is left as it is, so that publishing an old generation
        again never takes a label from a newer one, nor undoes a rollback.

        Args:
            version: one that is there.
            after_gate: the setting ``model_repository.after_gate``.
            judged_beside: the version that the gate compared it with; None if with none, or if that is not known.

        Raises:
            ModelRepositoryError: the version is not there, or damaged.
            GateRefusedError: it would become stable, and another version is stable by now than the one it was
                compared with.
        """
        with self._locked_state() as before:
            after, change = rules.introduce(before, version, self.versions(), after_gate, judged_beside)
            if change is not None:
                self.verify(version)
            self._keep(before, after)
        return change

    def remove_label(self, label: str, *, by: str, reason: str) -> Change:
        """Take ``canary`` from the version that has it; ModelRepositoryError if none has, or for ``stable``."""
        author = person(by, reason)
        with self._locked_state() as before:
            after, change = rules.remove_label(before, label, author)
            self._keep(before, after)
        return change

    def rollback(self, *, by: str, reason: str, expected: int | None = None) -> Change:
        """Make stable again what was stable before, leaving out retired and removed versions.

        The next rollback goes one further back, never to a version that was rolled back from.

        Args:
            by: who does it.
            reason: why.
            expected: the version to get away from; where a rollback has led away from it already, nothing changes.
                Without it a rollback that is repeated, or asked for by two people at once, goes back two steps.

        Raises:
            ModelRepositoryError: there is nothing to go back to, it is damaged, or another version than ``expected``
                is stable.
        """
        author = person(by, reason)
        with self._locked_state() as before:
            after, change = rules.rollback(before, self.versions(), author, expected)
            if after is not before:
                self._verify_target(change.version)
            self._keep(before, after)
        return change

    def retire(self, version: int, *, by: str, reason: str) -> Change:
        """Keep ``version``, which has no label, from service for ever; its folder is garbage from now on.

        Raises:
            ModelRepositoryError: it has a label or is in service, or there is no such version.
        """
        author = person(by, reason)
        with self._locked_state() as before:
            if version not in before.retired:
                self.path(version)
            after, change = rules.retire(before, version, self.versions(), author)
            self._keep(before, after)
        return change

    def collect_garbage(self, keep: int, *, only: Collection[int] | None = None) -> list[int]:
        """Remove retired versions, and those without a label but the newest ``keep``; returns what was removed.

        Never one that has a label, is in service, or is the one that ``rollback`` would go to, nor a newest one that
        was published a moment ago and waits for the gate. Each is first taken away in one step and then deleted;
        what a killed process leaves of that is deleted by the next one.

        Args:
            keep: how many without a label stay.
            only: leave all others alone.

        Raises:
            ModelRepositoryError: ``keep`` is below 0, or a folder cannot be removed.
        """
        if keep < 0:
            raise ModelRepositoryError(f"the newest {keep} versions cannot be kept: say 0 or more")
        # Deleted when the lock is free again: large folders take their time.
        with contextlib.ExitStack() as aside, self._locked_state() as state:
            self._sync(state)  # servers first: a configuration that lags may name what goes now
            removed = rules.garbage(state, self.versions(), keep)
            removed = [version for version in removed if only is None or version in only]
            for version in removed:
                aside.enter_context(self._set_aside(version))
        return removed

    def write_server_files(self, batching: BatchingSettings | None = None) -> list[Path]:
        """Bring the configuration files of model servers up to date; returns those that were not.

        Args:
            batching: what ``batching.config`` says; None leaves the file as it is where there is one.

        Raises:
            ModelRepositoryError: a file cannot be written.
        """
        if not self._outdated(self._read(), batching):  # as mostly: no lock, and no right to write needed
            return []
        with self._locked_state() as state:
            return self._sync(state, batching)

    @contextlib.contextmanager
    def _locked_state(self) -> Iterator[State]:
        with self._locked():
            yield self._read()

    @property
    def _state_file(self) -> Path:
        return self.serving_folder / "state.json"

    def _read(self) -> State:
        return read_state(self._state_file)

    def _keep(self, before: State, after: State) -> None:
        """Write what changed; the lock must be held. Does its second half where a killed process did the first."""
        if after != before:
            write_state(self._state_file, after, self._root)
            reach("repository.state_written")
        self._sync(after)

    def _sync(self, state: State, batching: BatchingSettings | None = None) -> list[Path]:
        outdated = self._outdated(state, batching)
        for path, text in outdated.items():
            write_text(path, text, self._root)
        return list(outdated)

    def _outdated(self, state: State, batching: BatchingSettings | None) -> dict[Path, str]:
        """Text of each file of servers that does not say what it should."""
        folder = self.serving_folder
        wanted = {
            folder / server_files.MODELS_CONFIG: server_files.models_config(
                state, self.versions(), self.base_path
            ),
            folder / server_files.MONITORING_CONFIG: server_files.monitoring_file(),
        }
        if batching is not None or not (folder / server_files.BATCHING_CONFIG).exists():
            wanted[folder / server_files.BATCHING_CONFIG] = server_files.batching_file(
                batching or BatchingSettings()
            )
        return {path: text for path, text in wanted.items() if not _says(path, text)}

    def _verify_target(self, version: int) -> None:
        try:
            self.verify(version)
        except ModelRepositoryError as error:
            raise ModelRepositoryError(
                f"{error}. Nothing was changed. To go back further: ./tidzam generation retire {version}, "
                "then roll back again"
            ) from error


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ModelRepositoryError(f"{path} cannot be read: {error.strerror}") from error
