"""Metadata that a person wants to see in the Dagster UI."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import dagster as dg

from tidzam_platform.operations.ports import join_address
from tidzam_platform.settings import Settings

_MOST_BARS: Final = 40
_BAR_INCHES: Final = 0.28


def picture(png: bytes, title: str) -> dg.MetadataValue:
    """A picture inside the page, so that it needs no server of its own."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def bars(counts: Mapping[str, int], title: str) -> dg.MetadataValue:
    """Counts as a picture of bars, the longest first."""
    from tidzam_platform.classifiers.evaluation.pictures import empty_figure, png_of

    longest = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_MOST_BARS][::-1]
    figure, axes = empty_figure(7, 1.2 + _BAR_INCHES * max(len(longest), 1))
    axes.barh([name for name, _ in longest], [count for _, count in longest])
    axes.set_title(title)
    return picture(png_of(figure), title)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> dg.MetadataValue:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def class_table(per_class: Mapping[str, Mapping[str, Any]]) -> dg.MetadataValue:
    """Precision, recall and F1 by class."""
    columns = ["class", "precision", "recall", "F1", "clips"]
    rows = [
        [name, *(f"{figures[key]:.3f}" for key in ("precision", "recall", "f1")), figures["clips"]]
        for name, figures in per_class.items()
    ]
    return table(columns, rows)


def web_link(settings: Settings, path: str, **query: str) -> dg.MetadataValue:
    """A link to the web process of this home, e.g. to the detections of a day."""
    address = join_address(settings.web.host, settings.web.port)
    return dg.MetadataValue.url(f"http://{address}{path}" + (f"?{urlencode(query)}" if query else ""))


def versioned(value: Any, data_version: str, metadata: Mapping[str, Any]) -> dg.Output[Any]:
    """An asset's value with the hash of what it stands for, so that Dagster sees when nothing changed."""
    with warnings.catch_warnings():
        # Data versions are announced as beta since 1.1; the pin in constraints.txt guards against a change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.Output(value, metadata=metadata, data_version=dg.DataVersion(data_version))
