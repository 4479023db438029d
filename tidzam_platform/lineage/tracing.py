"""From an answer to what is behind it: generation, experts, dataset version, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DatasetVersion
from tidzam_platform.classifiers.code_version import code_version
from tidzam_platform.classifiers.tree.expert_spec import SELECTOR
from tidzam_platform.errors import DatasetError, ObjectNotFoundError, QueryError
from tidzam_platform.labels.class_paths import ancestors
from tidzam_platform.lineage.behind import Behind, behind_class
from tidzam_platform.lineage.class_rows import LEARNT_FROM, ClassRows, class_rows
from tidzam_platform.lineage.generation_facts import GenerationFacts, Service, facts_of
from tidzam_platform.lineage.subject import Subject
from tidzam_platform.store import ObjectStore

MAX_CLIPS: Final = 200  # examples of a verdict


@dataclass(frozen=True)
class ExpertStep:
    """An expert on the way from the root of the tree to the class.

    Attributes:
        expert: its name.
        decided: the class that it gave: the name of the next expert, at the end what was heard.
        dataset_version, code_version, fingerprint, weights: of this expert, as the generation's manifest says.
        is_code_of_today: whether this program would train it with the same code.
        counts: clips of its own dataset version behind ``decided``, by side and verdict; None if nobody can say.
    """

    expert: str
    decided: str
    dataset_version: str
    code_version: str
    fingerprint: str
    weights: str
    is_code_of_today: bool
    counts: Mapping[str, Mapping[str, int]] | None

    def as_json(self) -> dict[str, Any]:
        """As commands and HTTP tell it."""
        return {
            "expert": self.expert,
            "decided": self.decided,
            "dataset_version": self.dataset_version,
            "code_version": self.code_version,
            "fingerprint": self.fingerprint,
            "weights": self.weights,
            "is_code_of_today": self.is_code_of_today,
            "clips": None
            if self.counts is None
            else {side: dict(counts) for side, counts in self.counts.items()},
        }


@dataclass(frozen=True)
class Lineage:
    """Everything behind an answer.

    Attributes:
        subject: the answer.
        generation: what the catalog says of its generation; None if it does not know it.
        service: what the model repository says of it.
        steps: experts from the root to the one that decided.
        behind: labels behind the class, in the dataset version of the expert that decided; None if nobody can say.
        remarks: what is not known, and why; whole sentences.
    """

    subject: Subject
    generation: GenerationFacts | None
    service: Service
    steps: Sequence[ExpertStep]
    behind: Behind | None
    remarks: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """As commands and HTTP tell it."""
        return {
            **self.subject.as_json(),
            "class_path": self.subject.class_path,
            "generation": {
                "number": self.subject.generation,
                "known": self.generation is not None,
                "facts": None if self.generation is None else self.generation.as_json(),
                "service": self.service.as_json(),
            },
            "experts": [step.as_json() for step in self.steps],
            "behind": None if self.behind is None else self.behind.as_json(),
            "remarks": list(self.remarks),
        }


def trace(
    catalog: Catalog, store: ObjectStore, subject: Subject, service: Service, *, clips: int = 20
) -> Lineage:
    """What is behind an answer.

    Args:
        catalog, store: of the home.
        subject: the answer.
        service: what the model repository says of its generation.
        clips: examples of each verdict, 0 to ``MAX_CLIPS``.

    Raises:
        QueryError: ``clips`` is out of range.
        StoreUnavailableError, StoreRefusedError: the store does not answer.
    """
    if not 0 <= clips <= MAX_CLIPS:
        raise QueryError(f"{clips} clips cannot be shown: say 0 to {MAX_CLIPS}")
    remarks: list[str] = []
    with catalog.reading() as session:
        facts = facts_of(session, subject.generation)
        chain = _chain(facts, subject.class_path) if facts is not None else []
        versions = _versions(session, facts, chain) if facts is not None else {}
    if facts is None:
        remarks.append(
            f"The catalog does not know generation {subject.generation}: it was made in another home, or before the "
            "catalog was. Ask in the home that made it; which labels are behind the class is known there alone."
        )
        return Lineage(subject, None, service, (), None, tuple(remarks))
    if not chain:
        remarks.append(
            f"The manifest of generation {facts.number} names no experts: an older Tidzam made it. Only its dataset "
            "version is known."
        )
        chain = [("", subject.class_path)]
    found = {
        decided: _rows(
            store, versions.get(_version_of(facts, expert)), _version_of(facts, expert), decided, remarks
        )
        for expert, decided in chain
    }
    steps = tuple(_step(facts, expert, decided, found[decided]) for expert, decided in chain if expert)
    expert, decided = chain[-1]
    version, rows = versions.get(_version_of(facts, expert)), found[decided]
    behind = None
    if version is not None and rows is not None:
        with catalog.reading() as session:
            behind = behind_class(session, version, rows, decided, clips)
        remarks += _remarks(behind)
    return Lineage(subject, facts, service, steps, behind, tuple(dict.fromkeys(remarks)))


def _chain(facts: GenerationFacts, class_path: str) -> list[tuple[str, str]]:
    """Experts from the root to the one that decided on the class, each with what it gave.

    An expert's name is the class that it divides, so those on the way are the classes above that are experts.
    """
    if SELECTOR not in facts.experts:
        return []
    names = [SELECTOR, *(path for path in ancestors(class_path) if path in facts.experts)]
    return list(zip(names, [*names[1:], class_path], strict=True))


def _version_of(facts: GenerationFacts, expert: str) -> str:
    return facts.experts.get(expert, {}).get("dataset_version", facts.dataset_version)


def _versions(
    session: Session, facts: GenerationFacts, chain: Sequence[tuple[str, str]]
) -> dict[str, DatasetVersion]:
    wanted = {_version_of(facts, expert) for expert, _ in chain} | {facts.dataset_version}
    rows = ((version, session.get(DatasetVersion, version)) for version in sorted(wanted))
    return {version: row for version, row in rows if row is not None}


def _rows(
    store: ObjectStore, row: DatasetVersion | None, version: str, decided: str, remarks: list[str]
) -> ClassRows | None:
    """The clips behind a class; None with a remark where they are known no more."""
    if row is None:
        remarks.append(f"The catalog does not know dataset version {version}: its clips cannot be told.")
        return None
    try:
        return class_rows(store, row.store_key, version, decided)
    except ObjectNotFoundError:
        remarks.append(
            f"The manifest of dataset version {version} ({row.store_key}) is not in the store: its clips cannot be "
            "told. Restore it from a backup."
        )
    except DatasetError as error:
        remarks.append(f"Clips cannot be told: {error}. Restore it from a backup.")
    return None


def _step(facts: GenerationFacts, expert: str, decided: str, rows: ClassRows | None) -> ExpertStep:
    origin = facts.experts[expert]
    made_with = origin.get("code_version", "")
    return ExpertStep(
        expert=expert,
        decided=decided,
        dataset_version=_version_of(facts, expert),
        code_version=made_with,
        fingerprint=origin.get("fingerprint", facts.fingerprint),
        weights=origin.get("weights", ""),
        is_code_of_today=made_with == code_version(),
        counts=None if rows is None else rows.counts,
    )


def _remarks(behind: Behind) -> list[str]:
    found = []
    learnt = sum(behind.counts[side]["present"] for side in LEARNT_FROM)
    if not learnt:
        found.append(
            f"No clip of {behind.class_path!r} is on the train or validation side of dataset version "
            f"{behind.dataset_version}."
        )
    if behind.erased:
        found.append(
            f"{behind.erased} of the clips behind the class are gone from the catalog: their audio was erased since, "
            "and what people said of them is kept without the clip."
        )
    in_all = sum(sum(behind.counts[side].values()) for side in LEARNT_FROM)
    if in_all > behind.looked_up:
        found.append(
            f"Of the {in_all} clips only {behind.looked_up} were looked up to see which are gone: more are not looked "
            "up at once."
        )
    return found
