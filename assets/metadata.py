"""Metadata that a person wants to see in the Dagster UI."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg


def picture(png: bytes, title: str) -> dg.MetadataValue:
    """A picture inside the page, so that it needs no server of its own."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MetadataValue:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def class_table(per_class: Mapping[str, Mapping[str, Any]]) -> dg.MetadataValue:
    """Precision, recall and F1 by class."""
    columns = ["class", "precision", "recall", "F1", "clips"]
    rows = [
        [name, *(f"{figures[key]:.3f}" for key in ("precision", "recall", "f1")), figures["clips"]]
        for name, figures in per_class.items()
    ]
    return table(columns, rows)


def versioned(value: Any, data_version: str, metadata: Mapping[str, Any]) -> dg.Output[Any]:
    """An asset's value with the hash of what it stands for, so that Dagster sees when nothing changed."""
    with warnings.catch_warnings():
        # Data versions are announced as beta since 1.1; the pin in constraints.txt guards against a change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.Output(value, metadata=metadata, data_version=dg.DataVersion(data_version))
