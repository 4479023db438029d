"""How commands show a difference between two generations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tidzam_platform.cli.output import print_line, print_table

if TYPE_CHECKING:
    from tidzam_platform.detections.difference import Difference

_COLUMNS: Final = ("kept", "gained", "lost", "changed to", "changed from")
_SHOWN: Final = 20


def print_diff(found: Difference) -> None:
    """Tables on standard output: by class, channel and hour, what became what, and examples."""
    from tidzam_platform.clock import format_utc
    from tidzam_platform.detections.difference import COUNTS

    totals = found.totals
    title = f"generation {found.generation} beside {found.before}"

    def rows(by: dict[Any, Counter[str]]) -> list[tuple[object, ...]]:
        return [
            (key if isinstance(key, str) else format_utc(key), *(n[name] for name in COUNTS))
            for key, n in by.items()
        ]

    print_table(f"{title}, by class", ("class", *_COLUMNS), rows(found.by("class_path")))
    print_table(f"{title}, by channel", ("channel", *_COLUMNS), rows(found.by("channel")))
    print_table(f"{title}, by hour (UTC)", ("hour", *_COLUMNS), rows(found.by("hour")))
    if found.changes:
        print_table(
            f"{title}: what became what",
            ("was", "is", "how often"),
            ((old, new, count) for (old, new), count in found.changes.most_common(_SHOWN)),
        )
    print_table(
        f"{title}: the strongest examples",
        ("what", "class", "was", "score", "channel", "start (UTC)", "in", "at, s"),
        (
            (
                one.kind,
                one.detection.class_path,
                one.before.class_path if one.before else "",
                f"{one.strength:.2f}",
                one.detection.channel,
                format_utc(one.detection.start),
                "" if one.recording is None else Path(one.recording).name,
                "" if one.offset_s is None else f"{one.offset_s:.1f}",
            )
            for one in found.examples
        ),
    )
    print_line(
        f"{totals['before']} detections before, {totals['after']} now: {totals['gained']} gained, "
        f"{totals['lost']} lost, {totals['changed']} changed"
    )


def write_picture(found: Difference, file: Path) -> None:
    """Draw the difference into a PNG file, whole or not at all."""
    from tidzam_platform.detections.difference_picture import picture_of
    from tidzam_platform.files import write_for_user

    write_for_user(file, picture_of(found))
