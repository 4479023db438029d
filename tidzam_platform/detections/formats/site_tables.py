"""Tables that the people of a site write for Darwin Core: which taxon a class is, where a source stands."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tidzam_platform.errors import InvalidNameError, SettingsError
from tidzam_platform.labels.class_paths import valid_class_path
from tidzam_platform.names import valid_source


@dataclass(frozen=True)
class Taxon:
    """Names of a taxon; empty where they are not told."""

    scientific_name: str = ""
    rank: str = ""
    kingdom: str = ""


def read_taxa(path: Path) -> dict[str, Taxon]:
    """CSV with the columns class and scientificName, and where known taxonRank and kingdom.

    Raises:
        SettingsError: it cannot be read, or a row makes no sense; it says which.
    """
    taxa = {}
    for where, row in _rows(path, ("class", "scientificName")):
        try:
            name = valid_class_path(row["class"])
        except InvalidNameError as error:
            raise SettingsError(f"{where}: {error}") from error
        if not row["scientificName"]:
            raise SettingsError(f"{where}: {name} has no scientificName")
        taxa[name] = Taxon(row["scientificName"], row.get("taxonRank", ""), row.get("kingdom", ""))
    return taxa


def read_places(path: Path) -> dict[str, tuple[float, float]]:
    """CSV with the columns source, latitude and longitude (degrees, WGS84); SettingsError as above."""
    places = {}
    for where, row in _rows(path, ("source", "latitude", "longitude")):
        try:
            latitude, longitude = float(row["latitude"]), float(row["longitude"])
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise SettingsError(f"{where}: {latitude}, {longitude} is no place on earth")
            places[valid_source(row["source"])] = (latitude, longitude)
        except (ValueError, InvalidNameError) as error:
            raise SettingsError(f"{where}: {error}") from error
    return places


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each row with its place, all cells stripped."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            if missing := set(columns) - set(reader.fieldnames or ()):
                raise SettingsError(
                    f"{path}: the first line must name the columns {', '.join(sorted(missing))}"
                )
            for row in reader:
                yield (
                    f"{path}:{reader.line_num}",
                    {name: (cell or "").strip() for name, cell in row.items() if name},
                )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path} cannot be read as CSV in UTF-8: {error}") from error
