"""Simple Darwin Core (dwc.tdwg.org/simple): occurrences as CSV whose first line names Darwin Core's terms.

Only what a person verified is an occurrence: a detection with a standing annotation ``present``. The terms are those
of the standard's list (dwc.tdwg.org/list, rs.tdwg.org/dwc/terms/); docs/detections.md says what each holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats.layout import exact_time, rounded_score
from tidzam_platform.detections.formats.separated import csv_line
from tidzam_platform.detections.formats.site_tables import Taxon
from tidzam_platform.labels.class_paths import SEPARATOR, ancestors
from tidzam_platform.labels.listing import standing_on_detections
from tidzam_platform.names import split_channel

TERMS: Final = (
    "occurrenceID", "basisOfRecord", "occurrenceStatus", "scientificName", "taxonRank", "kingdom", "vernacularName",
    "verbatimIdentification", "eventDate", "locationID", "decimalLatitude", "decimalLongitude", "geodeticDatum",
    "samplingProtocol", "identifiedBy", "dateIdentified", "identificationVerificationStatus",
    "identificationRemarks",
)  # fmt: skip
MEDIA_TYPE: Final = "text/csv"
_BATCH: Final = 500
_SEPARATED_BY: Final = " | "  # as the standard recommends for lists


@dataclass(frozen=True)
class Site:
    """What Darwin Core asks for and detections do not know.

    Attributes:
        taxa: class path to its taxon. Where any are given, classes without one, and not below one, are left out.
        places: source to its latitude and longitude, degrees in WGS84.
    """

    taxa: Mapping[str, Taxon] = field(default_factory=dict)
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def taxon(self, class_path: str) -> Taxon | None:
        """That of the class, else of the nearest class above it that has one."""
        return next(
            (self.taxa[path] for path in (class_path, *reversed(ancestors(class_path))) if path in self.taxa),
            None,
        )


def write_darwin_core(detections: Iterable[Detection], catalog: Catalog, site: Site) -> Iterator[str]:
    """One occurrence a verified detection and class; pieces of CSV."""
    yield csv_line(TERMS)
    batch: list[Detection] = []
    for one in detections:
        batch.append(one)
        if len(batch) == _BATCH:
            yield from _lines(batch, catalog, site)
            batch = []
    yield from _lines(batch, catalog, site)


def _lines(batch: list[Detection], catalog: Catalog, site: Site) -> Iterator[str]:
    said = standing_on_detections(catalog, [one.id for one in batch])
    for one in batch:
        for class_path in sorted(
            {row.class_path for row in said.get(one.id, ()) if row.verdict == "present"}
        ):
            of_class = [row for row in said[one.id] if row.class_path == class_path]
            taxon = site.taxon(class_path)
            if taxon is not None or not site.taxa:
                yield csv_line(_occurrence(one, class_path, of_class, taxon or Taxon(), site))


def _occurrence(
    heard: Detection, class_path: str, of_class: list[Annotation], taxon: Taxon, site: Site
) -> tuple[object, ...]:
    source, _ = split_channel(heard.channel)
    place = site.places.get(source)
    present = [row for row in of_class if row.verdict == "present"]
    disputed = any(row.verdict == "absent" for row in of_class)
    remarks = (
        f"heard as {heard.class_path} by generation {heard.generation}, score {rounded_score(heard.score)}"
    )
    return (
        f"tidzam:{heard.id}:{class_path}",
        "MachineObservation",
        "present",
        taxon.scientific_name,
        taxon.rank,
        taxon.kingdom,
        class_path.rpartition(SEPARATOR)[2].replace("_", " "),
        class_path,
        f"{exact_time(heard.start)}/{exact_time(heard.end)}",
        heard.channel,
        "" if place is None else f"{place[0]:.6f}",
        "" if place is None else f"{place[1]:.6f}",
        "" if place is None else "EPSG:4326",
        "passive acoustic monitoring",
        _SEPARATED_BY.join(sorted({row.annotator for row in present})),
        format_utc(max(row.made_at for row in present)),
        "disputed" if disputed else "verified",
        remarks,
    )
