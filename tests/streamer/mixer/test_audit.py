"""The log of changes: bounded, and whole lines whatever happens."""

from __future__ import annotations

import json
from pathlib import Path

from streamer.engine.mixer.audit import MAX_TEXT, AuditLog


def test_entries_are_lines_of_json_with_their_time(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "logs" / "mixer.jsonl", 1 << 20)
    log.append({"channel": "marsh:out_1", "what": "mute", "to": True, "reason": "crackles\nbadly"})
    log.append({"channel": "marsh:out_2", "reason": "x" * 9999})
    lines = (tmp_path / "logs" / "mixer.jsonl").read_text().splitlines()
    assert [json.loads(line)["channel"] for line in lines] == ["marsh:out_1", "marsh:out_2"]
    assert len(json.loads(lines[1])["reason"]) == MAX_TEXT
    assert [entry["reason"] for entry in log.tail(1)] == ["x" * MAX_TEXT]
    assert [entry["channel"] for entry in log.tail(10)] == ["marsh:out_1", "marsh:out_2"]


def test_it_is_rotated_and_never_grows_beyond_two_files(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "mixer.jsonl", 2000)
    for number in range(200):
        log.append({"number": number})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixer.jsonl", "mixer.jsonl.1"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert log.tail(1)[0]["number"] == 199
    text = (tmp_path / "mixer.jsonl.1").read_text() + (tmp_path / "mixer.jsonl").read_text()
    kept = [json.loads(line)["number"] for line in text.splitlines()]
    assert kept == list(range(kept[0], 200))


def test_a_line_that_a_crash_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "mixer.jsonl"
    path.write_bytes(b'{"number": 1}\n{"numb')
    log = AuditLog(path, 1 << 20)
    log.append({"number": 2})
    assert [entry["number"] for entry in log.tail(10)] == [1, 2]


def test_a_log_that_cannot_be_written_is_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "mixer.jsonl").mkdir()
    log = AuditLog(tmp_path / "mixer.jsonl", 1 << 20)
    log.append({"number": 1})
    assert log.failures == 1
    assert "cannot be written" in log.last_failure
