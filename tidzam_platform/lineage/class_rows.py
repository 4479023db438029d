"""Which clips of a dataset version stand behind a class: counted over columns, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidzam_platform.errors import DatasetError
from tidzam_platform.labels.class_paths import SEPARATOR, ancestors
from tidzam_platform.store import ObjectStore

LEARNT_FROM: Final = ("train", "validation")
VERDICTS: Final = ("present", "absent")
_SIDES: Final = (*LEARNT_FROM, "test")
_COLUMNS: Final = ("clip_sha256", "class_path", "verdict", "side")
_VERSION: Final = b"tidzam.dataset_version"


@dataclass(frozen=True)
class ClassRows:
    """Clips of a version behind one class.

    ``present``: the class, or one below it, is in the clip. ``absent``: somebody says that the class, or one above it,
    is not.

    Attributes:
        counts: different clips by side (train, validation, test) and verdict.
        hashes: by verdict the SHA-256 of the clips of train and validation, ascending.
    """

    counts: Mapping[str, Mapping[str, int]]
    hashes: Mapping[str, tuple[str, ...]]


def class_rows(store: ObjectStore, key: str, version: str, class_path: str) -> ClassRows:
    """The clips of dataset version ``version``, whose manifest lies under ``key``, behind ``class_path``.

    Raises:
        StoreError: the manifest is not there, or the store does not answer.
        DatasetError: it cannot be read, or is of another version.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with store.as_file(key) as path:
        try:
            table = pq.read_table(path, columns=list(_COLUMNS))
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"the manifest of dataset version {version} is damaged: {error}") from error
    said = (table.schema.metadata or {}).get(_VERSION, b"").decode(errors="replace")
    if said != version:
        raise DatasetError(f"the manifest of dataset version {version} holds version {said or 'nothing'}")
    named = table.column("class_path")
    behind = {
        "present": pc.or_(pc.equal(named, class_path), pc.starts_with(named, class_path + SEPARATOR)),
        "absent": pc.is_in(named, value_set=pa.array([class_path, *ancestors(class_path)])),
    }
    counts: dict[str, dict[str, int]] = {side: {} for side in _SIDES}
    hashes: dict[str, tuple[str, ...]] = {}
    for verdict, of_class in behind.items():
        rows = table.filter(pc.and_(pc.equal(table.column("verdict"), verdict), of_class))
        for side in _SIDES:
            counts[side][verdict] = len(_clips(rows.filter(pc.equal(rows.column("side"), side))))
        learnt = rows.filter(pc.is_in(rows.column("side"), value_set=pa.array(LEARNT_FROM)))
        hashes[verdict] = tuple(sorted(_clips(learnt).to_pylist()))
    return ClassRows(counts, hashes)


def _clips(rows: Any) -> Any:
    """Different clips of a table."""
    import pyarrow.compute as pc

    return pc.unique(rows.column("clip_sha256"))
