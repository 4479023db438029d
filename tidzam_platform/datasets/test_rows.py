"""The rows of a frozen test set, as Parquet; named by the hash of their content."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Final, Literal

from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.datasets.taxonomy import Taxonomy
from tidzam_platform.errors import DatasetError

Kind = Literal["clips", "recordings", "noise"]
KINDS: Final[tuple[Kind, ...]] = ("clips", "recordings", "noise")
_VERSION_LENGTH: Final = 16  # hexadecimal digits


@dataclass(frozen=True)
class TestRow:
    """One label of one item, by the name that the label has.

    Attributes:
        sha256: of the bytes of the clip or recording.
        channel: of a recording, from 1; 0: a clip, whose channels are mixed.
        class_path: empty where nothing is labelled.
        verdict: present or absent; empty where nothing is labelled.
        start_s, end_s: within the item; None: all of it.
        group: that is drawn as a whole: of a clip its group, of a recording itself.
        seconds: of the item.
        place: key in the store of a clip, path of a recording.
    """

    __test__ = False  # no class of tests

    sha256: str
    channel: int
    class_path: str
    verdict: str
    start_s: float | None
    end_s: float | None
    group: str
    seconds: float
    place: str

    @property
    def item(self) -> str:
        """Name of the item: ``clip:<hash>``, or ``recording:<hash>:<channel>``."""
        return f"recording:{self.sha256}:{self.channel}" if self.channel else f"clip:{self.sha256}"


def canonical(rows: Iterable[TestRow]) -> tuple[TestRow, ...]:
    """Each row once, in ascending order."""
    return tuple(sorted(set(rows), key=_text))


def version_of(kind: Kind, rows: Sequence[TestRow]) -> str:
    """Hash of the content of a set in canonical order; where the files lie has no part in it."""
    digest = hashlib.sha256(kind.encode() + b"\n")
    for row in rows:
        digest.update(_text(row).encode() + b"\n")
    return digest.hexdigest()[:_VERSION_LENGTH]


def to_parquet(kind: Kind, rows: Sequence[TestRow]) -> bytes:
    """The set as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            (one.name, {"int": pa.int64(), "float": pa.float64()}.get(_kind_of(one.type), pa.string()))
            for one in fields(TestRow)
        ],
        metadata={"tidzam.test_set": version_of(kind, rows), "tidzam.kind": kind},
    )
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema), sink, compression="zstd")
    return sink.getvalue()


def from_parquet(kind: Kind, data: bytes, version: str) -> tuple[TestRow, ...]:
    """Read a set back and prove that it is the one asked for; DatasetError if it is not, or is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = canonical(TestRow(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist())
    except (pa.ArrowInvalid, TypeError) as error:
        raise DatasetError(f"the test set {version} is damaged: {error}") from error
    if version_of(kind, rows) != version:
        raise DatasetError(f"the test set {version} holds {version_of(kind, rows)}: it is damaged")
    return rows


def settled(rows: Sequence[TestRow], taxonomy: Taxonomy) -> dict[str, tuple[str, ...]]:
    """The classes present in each item by today's names, ascending; items of which nobody can say are left out.

    A class that was split and that no other label of the item tells apart leaves the item out, if nothing else is
    present in it: to hold answers to its whole would be another question.
    """
    said: dict[str, list[str]] = {}
    for row in rows:
        if row.verdict == "present":
            said.setdefault(row.item, []).append(row.class_path)
    found = {}
    for item, names in said.items():
        classes = {
            settled_name
            for name in names
            if (settled_name := taxonomy.settle(name, names)) is not None
            and (len(taxonomy.targets(name)) == 1 or settled_name in taxonomy.targets(name))
        }
        if classes:
            found[item] = tuple(sorted(classes))
    return found


def clip_manifest(rows: Sequence[TestRow], taxonomy: Taxonomy) -> Manifest:
    """The clips of a set of clips with today's classes, as training's readers take them; all on the test side."""
    classes = settled(rows, taxonomy)
    first = {row.item: row for row in reversed(rows)}
    return Manifest.of(
        ManifestRow(
            first[item].sha256,
            name,
            "present",
            None,
            None,
            first[item].group,
            "test",
            first[item].seconds,
            first[item].place,
        )
        for item, names in classes.items()
        for name in names
    )


def _kind_of(annotation: object) -> str:
    return str(annotation).partition(" ")[0]


def _text(row: TestRow) -> str:
    content = asdict(row)
    if row.channel:
        del content["place"]  # an archive that moves is the same archive
    return json.dumps(content, sort_keys=True, ensure_ascii=True)
