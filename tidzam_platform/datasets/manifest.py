"""The manifest of a dataset version: which clips, labels, groups and sides; named by the hash of its content."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from tidzam_platform.datasets.sides import Side
from tidzam_platform.errors import DatasetError

_VERSION_LENGTH = 16  # hexadecimal digits: 64 bits, no two manifests of a site will ever meet


@dataclass(frozen=True, order=True)
class ManifestRow:
    """One label of one clip."""

    clip_sha256: str
    class_path: str
    verdict: str  # present or absent
    start_s: float | None  # None: the whole clip
    end_s: float | None
    group: str
    side: Side
    seconds: float
    store_key: str


@dataclass(frozen=True)
class Manifest:
    """All rows of a version, in ascending order of clip and class."""

    rows: tuple[ManifestRow, ...]

    @classmethod
    def of(cls, rows: Iterable[ManifestRow]) -> Manifest:
        """A manifest in canonical order."""
        return cls(tuple(sorted(rows, key=_canonical)))

    @property
    def version(self) -> str:
        """Hash of the content: of the rows, not of the bytes of a file format that may change."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(_canonical(row).encode() + b"\n")
        return digest.hexdigest()[:_VERSION_LENGTH]

    @property
    def clips(self) -> int:
        """How many different clips."""
        return len({row.clip_sha256 for row in self.rows})

    def to_parquet(self) -> bytes:
        """The manifest as a Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {
            field.name: [getattr(row, field.name) for row in self.rows] for field in fields(ManifestRow)
        }
        for name in ("start_s", "end_s"):
            columns[name] = pa.array(columns[name], pa.float64())
        sink = io.BytesIO()
        pq.write_table(
            pa.table(columns, metadata={"tidzam.dataset_version": self.version}), sink, compression="zstd"
        )
        return sink.getvalue()

    @classmethod
    def from_parquet(cls, data: bytes, version: str) -> Manifest:
        """Read a manifest back and prove that it is the ``version`` asked for.

        Raises:
            DatasetError: the bytes are no manifest, or not of that version.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(io.BytesIO(data))
            manifest = cls.of(ManifestRow(**row) for row in table.to_pylist())
        except (pa.ArrowInvalid, TypeError) as error:
            raise DatasetError(f"the manifest of dataset version {version} is damaged: {error}") from error
        if manifest.version != version:
            raise DatasetError(f"the manifest of dataset version {version} holds version {manifest.version}")
        return manifest


def _canonical(row: ManifestRow) -> str:
    return json.dumps(asdict(row), sort_keys=True, ensure_ascii=True)
