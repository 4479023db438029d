"""Labels from CSV: columns ``file``, ``label``, and where known ``parent`` and ``group``; others are ignored."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tidzam_platform.errors import InvalidNameError, LabelError
from tidzam_platform.labels.class_paths import join_label
from tidzam_platform.labels.labelled_file import LabelledFile

MAX_GROUP_LENGTH: Final = 200


def read_label_csv(csv_file: Path) -> list[LabelledFile]:
    """Read all rows; several rows of one file give it several classes. Order is that of first mention.

    Files are named relative to the CSV's folder and must lie below it.

    Raises:
        LabelError: no such file, not UTF-8, a column is missing, a label is no class name, a path leads outside,
            one file is in two groups.
    """
    try:
        with csv_file.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle, strict=True)
            missing = {"file", "label"} - set(reader.fieldnames or ())
            if missing:
                raise LabelError(
                    f"{csv_file}: the first line must name the columns {', '.join(sorted(missing))}"
                )
            rows = [(f"{csv_file}:{reader.line_num}", row) for row in reader]
    except FileNotFoundError as error:
        raise LabelError(f"{csv_file}: no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LabelError(f"{csv_file} cannot be read as CSV in UTF-8: {error}") from error
    if not rows:
        raise LabelError(f"{csv_file} holds no rows below its first line")
    found: dict[Path, LabelledFile] = {}
    for where, row in rows:
        entry = _read_row(csv_file.parent, row, where)
        known = found.get(entry.path)
        if known is not None and known.group != entry.group:
            raise LabelError(f"{where}: {row['file']} is in group {known.group!r} at {known.where}")
        classes = {*entry.class_paths, *(known.class_paths if known else ())}
        found[entry.path] = LabelledFile(
            entry.path, tuple(sorted(classes)), entry.group, known.where if known else entry.where
        )
    return list(found.values())


def _read_row(folder: Path, row: Mapping[str, str | None], where: str) -> LabelledFile:
    name = (row["file"] or "").strip()
    try:
        path = (folder / name.replace("\0", "")).resolve()
    except RuntimeError as error:  # Path.resolve's word for links that lead in a circle
        raise LabelError(f"{where}: {name!r} is a symbolic link that leads in a circle") from error
    if not name or "\0" in name or not path.is_relative_to(folder.resolve()):
        raise LabelError(f"{where}: {name!r} does not lie below {folder}{_link_on_the_way(folder, name)}")
    group = (row.get("group") or "").strip() or None
    if group and "\0" in group:
        raise LabelError(f"{where}: a group's name cannot hold a null byte")
    if group and len(group) > MAX_GROUP_LENGTH:
        raise LabelError(f"{where}: a group's name has {MAX_GROUP_LENGTH} characters at most")
    try:
        class_path = join_label((row["label"] or "").strip(), (row.get("parent") or "").strip())
    except InvalidNameError as error:
        raise LabelError(f"{where}: {error}") from error
    return LabelledFile(path, (class_path,), group, where)


def _link_on_the_way(folder: Path, name: str) -> str:
    """What to say of the symbolic link that leads ``name`` outside ``folder``; empty if there is none."""
    for path in (place := folder / name.replace("\0", ""), *place.parents):
        if path == folder:
            break
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            return f": {path} is a symbolic link to {path.resolve()}; copy the file there instead"
    return ""
