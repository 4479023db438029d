"""Recordings that a killed engine left unfinished become whole ones."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from streamer.engine.recording.partial_file import PartialFile, name_of_partial
from tidzam_platform.audio.ogg.timeline import read_timeline
from tidzam_platform.errors import DecodingError, EmptyAudioError, RecordingError, UnknownAudioFormatError

DAMAGED_SUFFIX: Final = ".damaged"


@dataclass
class Recovery:
    """What was done.

    Attributes:
        recovered: recordings that have their names now; each holds all whole pages that were on the disk.
        removed: files without any audio that were removed.
        damaged: files that cannot be decoded, kept under a hidden name that ends with ``.damaged``.
        failed: "path: reason" of files that could not be dealt with; the next recovery tries again.
    """

    recovered: list[Path] = field(default_factory=list)
    removed: int = 0
    damaged: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def recover(folder: Path) -> Recovery:
    """Finish all unfinished recordings below ``folder`` whose writer is no more."""
    done = Recovery()
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(files):
            path = Path(parent, name)
            if name_of_partial(path) is not None:
                _recover_one(path, done)
    return done


def finish_or_discard(partial: PartialFile) -> Path | None:
    """Publish what whole pages there are, or remove the file if they hold no audio; None then.

    Raises:
        RecordingError: it could not be published; it stays.
        DecodingError: it is damaged beyond use.
        OSError: the disk is broken.
    """
    partial.mend()
    try:
        read_timeline(partial.handle())
    except EmptyAudioError:
        partial.discard()
        return None
    except DecodingError:
        if not os.fstat(partial.handle().fileno()).st_size:
            partial.discard()
            return None
        raise
    return partial.publish()


def _recover_one(path: Path, done: Recovery) -> None:
    try:
        partial = PartialFile.adopt(path)
        if partial is None:
            return
        try:
            published = finish_or_discard(partial)
        except (DecodingError, UnknownAudioFormatError):
            aside = path.with_name(path.name + DAMAGED_SUFFIX)
            path.replace(aside)
            done.damaged.append(aside)
            return
        finally:
            partial.close()
    except (OSError, RecordingError) as error:
        done.failed.append(f"{path}: {error}")
        return
    if published is None:
        done.removed += 1
    else:
        done.recovered.append(published)
