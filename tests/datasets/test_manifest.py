"""A dataset version is named by its content, whatever the order, and proves itself when it is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.errors import DatasetError

ROWS = st.lists(
    st.builds(
        ManifestRow,
        clip_sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        class_path=st.sampled_from(["birds-robin", "noise"]),
        verdict=st.sampled_from(["present", "absent"]),
        start_s=st.none() | st.floats(0, 10),
        end_s=st.none() | st.floats(0, 10),
        group=st.text(min_size=1, max_size=10),
        side=st.sampled_from(["train", "validation", "test"]),
        seconds=st.floats(0.1, 60),
        store_key=st.just("clips/ab/x.flac"),
    ),
    max_size=20,
)


@given(ROWS)
def test_a_manifest_survives_parquet_and_keeps_its_name(rows: list[ManifestRow]) -> None:
    manifest = Manifest.of(rows)
    assert Manifest.of(reversed(rows)).version == manifest.version
    assert Manifest.from_parquet(manifest.to_parquet(), manifest.version) == manifest


@given(ROWS.filter(bool), st.data())
def test_any_change_gives_another_version(rows: list[ManifestRow], data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, len(rows) - 1))
    other = [*rows]
    other[changed] = replace(rows[changed], group=rows[changed].group + "x")
    assert Manifest.of(other).version != Manifest.of(rows).version


@given(ROWS.filter(bool))
def test_a_manifest_under_another_name_is_refused(rows: list[ManifestRow]) -> None:
    with pytest.raises(DatasetError, match="holds version"):
        Manifest.from_parquet(Manifest.of(rows).to_parquet(), "0" * 16)


def test_bytes_that_are_no_parquet_are_refused() -> None:
    with pytest.raises(DatasetError, match="damaged"):
        Manifest.from_parquet(b"not a manifest", "0" * 16)
