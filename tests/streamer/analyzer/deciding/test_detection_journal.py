"""The journal of detections: what was written is there for the next process, whatever became of the last one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.analyzer.deciding import DetectionJournal
from tidzam_platform.detections.detection import Detection
from tidzam_platform.errors import BusyError

TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
DETECTIONS = st.builds(
    lambda identity, generation, start, seconds, score: Detection(
        f"{identity:024x}",
        generation,
        "marsh:out_1",
        start,
        start + timedelta(seconds=seconds),
        "birds-crow",
        score,
    ),
    st.integers(0, 2**96 - 1),
    st.integers(1, 2**31),
    TIMES,
    st.floats(0, 1e5),
    st.floats(0, 1),
)


def recovered(folder: Path) -> list[Detection]:
    journal = DetectionJournal(folder)
    found = [detection for detection, _ in journal.recovered()]
    journal.close()
    return found


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "lock")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(DETECTIONS, min_size=1, max_size=5), min_size=1, max_size=6), st.data())
def test_it_keeps_what_is_not_done_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Detection]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = DetectionJournal(folder, file_bytes=400)
    files_of = [journal.append(batch) for batch in batches]
    written = [(one, file) for batch, file in zip(batches, files_of, strict=True) for one in batch]
    assert journal.waiting == len(written)
    done = data.draw(st.integers(0, len(written)))
    journal.done([file for _, file in written[:done]])
    journal.close()
    left = [detection for detection, _ in written[done:]]
    found = recovered(folder)
    assert found[len(found) - len(left) :] == left
    of_first = [detection for detection, file in written if left and file >= written[done][1]]
    assert found == of_first, "files that are done have gone, at most one holds some that are"
    assert len(files(folder)) == len({file for _, file in written[done:]})


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DETECTIONS, min_size=1, max_size=4), st.data())
def test_of_a_torn_or_damaged_file_it_gives_what_stands_before(
    tmp_path_factory: pytest.TempPathFactory, detections: list[Detection], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = DetectionJournal(folder)
    ends = []
    for detection in detections:
        journal.append([detection])
        ends.append(files(folder)[0].stat().st_size)
    journal.close()
    (path,) = files(folder)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    expected = [one for one, end in zip(detections, ends, strict=True) if end <= place]
    assert recovered(folder) == expected


def test_a_new_process_appends_behind_what_waits(tmp_path: Path) -> None:
    start = datetime(2026, 10, 1, tzinfo=UTC)
    one, other = (Detection(f"{number:024x}", 1, "marsh:out_1", start, start, "b", 0.5) for number in (1, 2))
    journal = DetectionJournal(tmp_path / "j")
    journal.append([one])
    with pytest.raises(BusyError):
        DetectionJournal(tmp_path / "j")
    journal.close()
    again = DetectionJournal(tmp_path / "j")
    again.append([other])
    assert [found for found, _ in again.recovered()] == [one]
    again.close()
    assert recovered(tmp_path / "j") == [one, other]
    assert {path.stat().st_mode & 0o777 for path in files(tmp_path / "j")} == {0o600}
