"""A catalog with labelled clips, the dataset versions built of them, and a generation whose experts come from two."""

from __future__ import annotations

from dataclasses import dataclass

from tests.clips.made import say
from tests.labels.made import NOON, make_clip
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import AuditEntry, DatasetVersion, Generation
from tidzam_platform.datasets.build import build_dataset
from tidzam_platform.lineage import Lineage, Service, Subject, trace
from tidzam_platform.store import ObjectStore

CROW, WREN = "birds-crow", "birds-wren"


@dataclass
class Lineages:
    """A catalog and store that questions are asked of."""

    catalog: Catalog
    store: ObjectStore

    def label(self, name: str, class_path: str, verdict: str = "present") -> int:
        """One more labelled clip, in a group of its own; returns its number."""
        clip = make_clip(self.catalog, name)
        say(self.catalog, clip, class_path, verdict)
        return clip

    def build(self) -> DatasetVersion:
        """A version of the labels that stand."""
        return build_dataset(self.catalog, self.store)

    def generation(self, number: int = 1, /, **versions: str) -> Generation:
        """A generation whose experts were trained on these versions."""
        experts = {
            name: {
                "dataset_version": version,
                "code_version": f"code of {name}",
                "fingerprint": f"print of {name}",
                "weights": f"classifiers/{number}",
            }
            for name, version in versions.items()
        }
        row = Generation(
            number=number,
            fingerprint=f"f{number}",
            dataset_version=next(iter(versions.values())),
            state="exported",
            manifest={"experts": experts, "gate": {"passed": False, "reasons": ["too weak"], "incumbent": 4}},
            evaluation={"macro_f1": 0.5},
            made_at=NOON,
        )
        with self.catalog.session() as session:
            session.add(row)
            session.add(
                AuditEntry(
                    at=NOON,
                    by="eve",
                    action="gate.override",
                    reason="known to be good",
                    details={"generation": number, "parts": ["clips"]},
                )
            )
            session.add(
                AuditEntry(
                    at=NOON, by="x", action="gate.override", reason="y", details={"generation": number + 1}
                )
            )
        return row

    def why(self, class_path: str = CROW, generation: int = 1, clips: int = 20) -> Lineage:
        """What is behind an answer."""
        return trace(self.catalog, self.store, Subject(generation, class_path), Service(), clips=clips)
