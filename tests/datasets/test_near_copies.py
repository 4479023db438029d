"""A clip that was once in test never returns to training, whatever name, group or encoding it comes back with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sqlalchemy import select

from tests.support.parts import require_part
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, Group
from tidzam_platform.datasets.build import build_dataset, load_manifest
from tidzam_platform.datasets.importer import import_labels
from tidzam_platform.datasets.near_copies import are_copies, fingerprint
from tidzam_platform.labels.labelled_file import LabelledFile
from tidzam_platform.store import LocalStore

RATE_HZ = 16000


def call(seed: int, seconds: float = 1.5) -> np.ndarray:
    """A made call: a few chirps over noise."""
    random = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    sound = random.standard_normal(len(time_s)) * 0.01
    for _ in range(4):
        onset_s, pitch_hz = random.uniform(0, seconds - 0.2), random.uniform(500, 3000)
        envelope = np.exp(-(((time_s - onset_s) / 0.08) ** 2))
        sound += 0.3 * envelope * np.sin(2 * np.pi * pitch_hz * time_s)
    return sound.astype(np.float32)


def write(path: Path, audio: np.ndarray) -> Path:
    soundfile.write(path, audio, RATE_HZ, subtype="PCM_16")
    return path


def imported(catalog: Catalog, store: LocalStore, files: list[tuple[Path, str, str]]) -> None:
    entries = [LabelledFile(path, (label,), group, path.name) for path, label, group in files]
    report = import_labels(catalog, store, entries, annotator="ann")
    assert not report.unusable


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def test_a_test_clip_that_comes_back_stays_out_of_training(tmp_path: Path, store: LocalStore) -> None:
    require_part("ffmpeg")
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    files = [(write(tmp_path / f"{n}.wav", call(n)), "frogs", f"g{n}") for n in range(4)]
    imported(catalog, store, files)
    build_dataset(catalog, store)
    with catalog.reading() as session:
        tested = session.scalars(select(Clip).join(Group).where(Group.side == "test")).all()
    (original,) = tested
    path = next(path for path, _, group in files if f"import/{group}" == original.group.key)
    again = tmp_path / "again.wav"
    again.write_bytes(path.read_bytes())
    louder = tmp_path / "louder.ogg"
    subprocess.run(
        [
            "ffmpeg",
            "-loglevel",
            "error",
            "-i",
            path,
            "-af",
            "volume=1.5",
            "-c:a",
            "libopus",
            "-b:a",
            "48k",
            louder,
        ],
        check=True,
        timeout=60,
    )
    cut = write(tmp_path / "cut.wav", soundfile.read(path, dtype="float32")[0][2000:])
    others = [(write(tmp_path / f"other{n}.wav", call(100 + n)), "frogs", f"other{n}") for n in range(3)]
    imported(
        catalog,
        store,
        [(again, "frogs", "another"), (louder, "frogs", "louder"), (cut, "frogs", "cut"), *others],
    )
    made = build_dataset(catalog, store)
    manifest = load_manifest(catalog, store, made.version)
    with catalog.reading() as session:
        sides = {group.key: group.side for group in session.scalars(select(Group))}
    assert sides["import/louder"] == sides["import/cut"] == "test"
    assert "import/another" not in sides, (
        "the same bytes are the same clip, in the group that it was first given"
    )
    assert {row.side for row in manifest.rows if row.clip_sha256 == original.sha256} == {"test"}
    assert {sides[f"import/other{n}"] for n in range(3)} != {"test"}
    again_built = build_dataset(catalog, store)
    assert again_built.version == made.version
    catalog.close()


def test_what_comes_in_while_copies_are_looked_for_waits_for_the_next_version(tmp_path: Path) -> None:
    """Nobody compared it: as a training group it would bring a test clip into training for ever."""
    require_part("ffmpeg")
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    files = [(write(tmp_path / f"{n}.wav", call(n)), "frogs", f"g{n}") for n in range(4)]

    class Busy(LocalStore):
        def get_bytes(self, key: str) -> bytes:
            if key.startswith("fingerprints/") and late:
                imported(catalog, self, [late.pop()])
            return super().get_bytes(key)

    late: list[tuple[Path, str, str]] = []
    store = Busy(tmp_path / "store")
    imported(catalog, store, files)
    build_dataset(catalog, store)
    with catalog.reading() as session:
        (tested,) = session.scalars(select(Group.key).where(Group.side == "test")).all()
    original = next(path for path, _, group in files if f"import/{group}" == tested)
    cut = write(tmp_path / "cut.wav", soundfile.read(original, dtype="float32")[0][2000:])
    late.append((cut, "frogs", "late"))
    imported(catalog, store, [(write(tmp_path / "other.wav", call(100)), "frogs", "other")])

    def sides() -> dict[str, str | None]:
        with catalog.reading() as session:
            return {group.key: group.side for group in session.scalars(select(Group))}

    assert load_manifest(catalog, store, build_dataset(catalog, store).version).clips == 5
    assert sides()["import/other"] is not None
    assert sides()["import/late"] is None
    assert load_manifest(catalog, store, build_dataset(catalog, store).version).clips == 6
    assert sides()["import/late"] == "test"
    catalog.close()


def test_different_sounds_and_noises_are_no_copies() -> None:
    marks = [fingerprint(call(n)[::2]) for n in range(30)]
    pairs = [(one, two) for at, one in enumerate(marks) for two in marks[:at]]
    assert not any(are_copies(one, two) for one, two in pairs)
    noises = [
        fingerprint(np.random.default_rng(n).standard_normal(12000).astype(np.float32)) for n in range(20)
    ]
    assert not any(are_copies(one, two) for at, one in enumerate(noises) for two in noises[:at])
    assert all(are_copies(mark, mark) for mark in marks)
    silence = fingerprint(np.zeros(8000, np.float32))
    assert not are_copies(silence, silence), "silence says nothing"
