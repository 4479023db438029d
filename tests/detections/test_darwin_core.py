"""Darwin Core: what a person verified, by the standard's terms, and nothing else."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.detections.made import heard
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.formats.darwin_core import TERMS, Site, write_darwin_core
from tidzam_platform.detections.formats.site_tables import Taxon, read_places, read_taxa
from tidzam_platform.errors import SettingsError
from tidzam_platform.labels.annotations import annotate
from tidzam_platform.labels.statement import Statement, Verdict
from tidzam_platform.labels.targets import DetectionTarget

CROW, WREN, RAIN = heard(0), heard(1), heard(2, class_path="rain")


def say(
    catalog: Catalog,
    detection: Detection,
    class_path: str,
    verdict: Verdict = "present",
    annotator: str = "anna",
) -> None:
    annotate(
        catalog,
        DetectionTarget(detection),
        [Statement(class_path, verdict)],
        annotator=annotator,
        tool="web",
    )


def occurrences(
    catalog: Catalog, detections: list[Detection], site: Site | None = None
) -> list[dict[str, str]]:
    text = "".join(write_darwin_core(detections, catalog, site or Site()))
    return list(csv.DictReader(io.StringIO(text)))


def test_nothing_is_an_occurrence_unless_a_person_said_so(catalog: Catalog) -> None:
    assert occurrences(catalog, [CROW, WREN, RAIN]) == []
    say(catalog, CROW, "birds-crow")
    say(catalog, WREN, "birds-wren", "absent")
    say(catalog, RAIN, "rain", "unsure")
    (row,) = occurrences(catalog, [CROW, WREN, RAIN])
    assert row["verbatimIdentification"] == "birds-crow"
    say(catalog, CROW, "birds-crow", "absent")  # the same annotator thinks better of it
    assert occurrences(catalog, [CROW, WREN, RAIN]) == []


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\uff1d1+1", '=1","x', "-", "=5"]
)
def test_an_annotator_is_no_formula(catalog: Catalog, name: str) -> None:
    say(catalog, CROW, "birds-crow", annotator=name)
    say(catalog, WREN, "birds-wren", annotator="O'Neil =5")
    first, second = occurrences(catalog, [CROW, WREN], Site(places={"marsh": (-33.5, -0.25)}))
    assert first["identifiedBy"] == f"'{name}"
    assert second["identifiedBy"] == "O'Neil =5"
    assert (first["decimalLatitude"], first["decimalLongitude"]) == ("-33.500000", "-0.250000")


def test_an_occurrence_says_what_when_where_and_by_whom(catalog: Catalog) -> None:
    say(catalog, CROW, "birds-american_crow", annotator="bo")
    say(catalog, CROW, "birds-american_crow", annotator="anna")
    (row,) = occurrences(catalog, [CROW], Site(places={"marsh": (52.5, -13.25)}))
    assert tuple(row) == TERMS
    assert row.pop("dateIdentified").endswith("Z")
    assert row == {
        "occurrenceID": f"tidzam:{CROW.id}:birds-american_crow",
        "basisOfRecord": "MachineObservation",
        "occurrenceStatus": "present",
        "scientificName": "",
        "taxonRank": "",
        "kingdom": "",
        "vernacularName": "american crow",
        "verbatimIdentification": "birds-american_crow",
        "eventDate": "2026-04-01T12:00:00.000000Z/2026-04-01T12:00:01.500000Z",
        "locationID": "marsh:out_1",
        "decimalLatitude": "52.500000",
        "decimalLongitude": "-13.250000",
        "geodeticDatum": "EPSG:4326",
        "samplingProtocol": "passive acoustic monitoring",
        "identifiedBy": "anna | bo",
        "identificationVerificationStatus": "verified",
        "identificationRemarks": "heard as birds-crow by generation 1, score 0.75",
    }


def test_what_others_refute_is_disputed(catalog: Catalog) -> None:
    say(catalog, CROW, "birds-crow")
    say(catalog, CROW, "birds-crow", "absent", "bo")
    say(catalog, CROW, "birds-wren", "absent", "bo")
    (row,) = occurrences(catalog, [CROW])
    assert row["identificationVerificationStatus"] == "disputed"
    assert row["identifiedBy"] == "anna"


def test_two_species_in_one_detection_are_two_occurrences(catalog: Catalog) -> None:
    say(catalog, CROW, "birds-crow")
    say(catalog, CROW, "birds-wren")
    rows = occurrences(catalog, [CROW])
    assert [row["verbatimIdentification"] for row in rows] == ["birds-crow", "birds-wren"]
    assert len({row["occurrenceID"] for row in rows}) == 2


def test_taxa_name_the_nearest_class_and_leave_out_what_lives_not(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "taxa.csv").write_text(
        "class,scientificName,taxonRank,kingdom\n"
        "birds,Aves,class,Animalia\nbirds-crow,Corvus brachyrhynchos,species,Animalia\n"
    )
    for one, name in ((CROW, "birds-crow"), (WREN, "birds-wren"), (RAIN, "rain")):
        say(catalog, one, name)
    rows = occurrences(catalog, [CROW, WREN, RAIN], Site(read_taxa(tmp_path / "taxa.csv")))
    assert [(row["scientificName"], row["taxonRank"], row["kingdom"]) for row in rows] == [
        ("Corvus brachyrhynchos", "species", "Animalia"),
        ("Aves", "class", "Animalia"),
    ]


def test_many_detections_are_looked_up_in_batches(catalog: Catalog) -> None:
    many = [heard(second) for second in range(1203)]
    for one in (many[0], many[499], many[500], many[1202]):
        say(catalog, one, "birds-crow")
    assert [row["eventDate"][14:19] for row in occurrences(catalog, many)] == [
        "00:00",
        "08:19",
        "08:20",
        "20:02",
    ]


@pytest.mark.parametrize(
    ("reader", "text", "says"),
    [
        (read_taxa, "class\nbirds\n", "scientificName"),
        (read_taxa, "class,scientificName\nBirds!,Aves\n", ":2"),
        (read_taxa, "class,scientificName\nbirds,\n", "no scientificName"),
        (read_places, "source,latitude\nmarsh,1\n", "longitude"),
        (read_places, "source,latitude,longitude\nmarsh,91,0\n", "no place"),
        (read_places, "source,latitude,longitude\nmarsh,nan,0\n", "no place"),
        (read_places, "source,latitude,longitude\nmarsh,north,0\n", ":2"),
        (read_places, 'source,latitude,longitude\n"marsh,1,0\n', "CSV"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path: Path, reader, text: str, says: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(SettingsError, match=says):
        reader(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        reader(tmp_path / "missing.csv")


def test_tables_are_read(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("\ufeffsource,latitude,longitude\nmarsh, 52.5 ,-13\n")
    assert read_places(path) == {"marsh": (52.5, -13.0)}
    path.write_text("class,scientificName\nbirds-crow,Corvus\n")
    assert read_taxa(path) == {"birds-crow": Taxon("Corvus")}
