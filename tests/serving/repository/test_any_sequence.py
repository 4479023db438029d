"""Any sequence of publishing, promoting, rolling back, retiring and collecting, beside a plain model of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from serving.repository import Change, ModelRepository
from tests.serving.repository.test_server_files import policy
from tests.serving.repository.tiny_versions import WHY, publish
from tidzam_platform.errors import GateRefusedError, ModelRepositoryError

VERSIONS = st.integers(1, 7)
LABELS = st.sampled_from(["stable", "canary"])


class Repository(RuleBasedStateMachine):
    """Keeps what should be true in sets and lists; what the repository says is compared after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.repository = ModelRepository(self.folder / "models")
        self.there: set[int] = set()
        self.retired: set[int] = set()
        self.labels: dict[str, int] = {}
        self.stables: list[int] = []  # to go back to, the last first
        self.introduced = 0
        self.changes = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def target(self) -> int | None:
        return next((one for one in reversed(self.stables) if one in self.there - self.retired), None)

    def serving(self) -> int | None:
        return self.labels.get("stable") or max(self.there - self.retired, default=None)

    def attempt(self, allowed: bool, do: Callable[[], Change | None]) -> Change | None:
        """Do it; it must work if and only if it is ``allowed``."""
        try:
            change = do()
        except ModelRepositoryError:
            assert not allowed
            return None
        assert allowed
        return change

    def label(self, version: int, label: str) -> None:
        old = self.labels.get(label)
        if old == version:
            return
        self.labels = {name: held for name, held in self.labels.items() if held != version} | {label: version}
        self.introduced = max(self.introduced, version)
        self.changes += 1
        if label == "stable":
            self.stables = [one for one in self.stables if one not in (version, old)] + ([old] if old else [])

    @rule(version=VERSIONS)
    def publish(self, version: int) -> None:
        allowed = version in self.there or version not in self.retired
        try:
            publish(self.repository, version)
        except ModelRepositoryError:
            assert not allowed
            return
        assert allowed
        self.there.add(version)

    @rule(version=VERSIONS, label=LABELS)
    def promote(self, version: int, label: str) -> None:
        allowed = version in self.there - self.retired
        if label == "canary":
            allowed = allowed and self.labels.get("stable") not in (None, version)
        self.attempt(allowed, lambda: self.repository.promote(version, label=label, **WHY))
        if allowed:
            self.label(version, label)

    @rule(
        version=VERSIONS,
        after_gate=st.sampled_from(["stable", "canary", "nothing"]),
        others=st.none() | VERSIONS,
        beside_stable=st.booleans(),
    )
    def introduce(self, version: int, after_gate: str, others: int | None, beside_stable: bool) -> None:
        if version not in self.there:
            return
        stable = self.labels.get("stable")
        beside = stable if beside_stable else others
        try:
            self.repository.introduce(version, after_gate, judged_beside=beside)  # type: ignore[arg-type]
        except GateRefusedError:
            assert stable not in (None, beside)
            assert after_gate == "stable"
            assert version > self.introduced
            assert version not in self.retired
            return
        if version <= self.introduced or version in self.retired:
            return
        if "stable" not in self.labels:
            if version == self.serving():
                self.label(version, "stable")
            return
        assert after_gate != "stable" or beside == stable, "what is replaced was compared with"
        self.introduced = version
        if after_gate != "nothing":
            self.label(version, after_gate)

    @precondition(lambda self: self.stables)
    @rule()
    def rollback(self) -> None:
        target, leaving = self.target(), self.labels["stable"]
        change = self.attempt(target is not None, lambda: self.repository.rollback(**WHY))
        if change is not None and target is not None:
            assert (change.version, change.previous_version) == (target, leaving)
            while self.stables.pop() != target:
                pass
            self.labels = {name: one for name, one in self.labels.items() if one != target} | {
                "stable": target
            }
            self.changes += 1

    @rule(version=VERSIONS)
    def retire(self, version: int) -> None:
        known = version in self.retired
        allowed = known or (version in self.there and version not in {*self.labels.values(), self.serving()})
        self.attempt(allowed, lambda: self.repository.retire(version, **WHY))
        if allowed and not known:
            self.retired.add(version)
            self.stables = [one for one in self.stables if one != version]
            self.changes += 1

    @precondition(lambda self: "canary" in self.labels)
    @rule()
    def remove_canary(self) -> None:
        assert self.repository.remove_label("canary", **WHY).version == self.labels.pop("canary")
        self.changes += 1

    @rule(keep=st.integers(0, 3))
    def collect(self, keep: int) -> None:
        removed = set(self.repository.collect_garbage(keep))
        needed = {*self.labels.values(), self.target(), self.serving()}
        assert not removed & needed
        assert self.there & self.retired <= removed
        plain = sorted(self.there - self.retired - set(self.labels.values()), reverse=True)
        assert not removed & set(plain[:keep])
        undecided = {max(self.there)} if self.there and max(self.there) > self.introduced else set()
        assert removed >= set(plain[keep:]) - needed - undecided
        self.there -= removed

    @invariant()
    def it_says_what_it_should(self) -> None:
        repository = self.repository
        assert set(repository.versions()) == self.there
        assert repository.labels() == self.labels
        assert set(repository.retired()) == self.retired
        assert repository.rollback_target() == self.target()
        assert repository.in_service() == self.serving()
        assert len(repository.history()) == self.changes
        assert set(self.labels.values()) <= self.there - self.retired, "what has a label is there"

    @precondition(lambda self: self.labels)
    @invariant()
    def servers_hold_what_is_labelled_and_clients_without_a_label_get_no_surprise(self) -> None:
        kind, versions, labels = policy(self.repository)
        assert kind == "specific"
        assert labels == self.labels
        assert set(labels.values()) <= set(versions) <= self.there - self.retired
        assert max(versions) == max(labels.values())


TestAnySequence = Repository.TestCase
TestAnySequence.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
