"""Supervisor reads from the file what was meant, whatever the paths of this machine hold."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from supervisor.options import ServerOptions, UnhosedConfigParser

from tidzam_platform.errors import ProcessError
from tidzam_platform.operations.supervision import configuration
from tidzam_platform.operations.supervision.configuration import configuration_text
from tidzam_platform.operations.supervision.processes import process_table
from tidzam_platform.settings import Settings

PATHS = st.text(
    st.one_of(
        st.sampled_from(" ;#%'\"\\$(){}=:&|\u00e9\u4e2d"), st.characters(categories=["L", "N", "P", "S"])
    ),
    min_size=1,
)


@given(PATHS)
def test_any_path_of_the_interpreter_comes_out_as_it_is(path: str) -> None:
    program = f"/{path}/bin/python"
    parser = UnhosedConfigParser()
    parser.read_string(f"[program:x]\ncommand={configuration._quoted(program)} -m x\n")
    assert shlex.split(parser.saneget("program:x", "command")) == [program, "-m", "x"]


@pytest.mark.parametrize("path", ["/a\nb/python", "/a\x07/python", "/a\udcff/python"])
def test_what_no_such_file_can_hold_is_refused(path: str) -> None:
    with pytest.raises(ProcessError, match="move the checkout"):
        configuration._quoted(path)


def test_supervisor_understands_the_whole_file(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    table = process_table(home)
    files = {name: f"run/processes/{name}.1.json" for name in table.names}
    (home.home / "run").mkdir()
    (home.home / "logs").mkdir()
    text = configuration_text(table, files, home.supervision)
    (home.home / "run" / "supervisord.conf").write_text(text)
    monkeypatch.chdir(home.home)
    options = ServerOptions()
    try:
        options.realize(["-c", "run/supervisord.conf"], doc="")
        groups = {group.name: group.process_configs[0] for group in options.process_group_configs}
        assert [group.name for group in sorted(options.process_group_configs)] == list(table.names)
        for name, process in groups.items():
            assert process.command.endswith(
                f" -m tidzam_platform.operations.supervision.launch {files[name]}"
            )
            assert not process.autostart
            assert process.killasgroup
            assert not process.stopasgroup
            assert process.stdout_logfile == f"logs/{name}.log"
            assert process.stdout_logfile_maxbytes == home.supervision.log_mb << 20
            assert process.stopwaitsecs == home.supervision.stop_s
        (server,) = options.configroot.supervisord.server_configs
        assert server["file"] == "/proc/self/cwd/run/supervisor.sock"
        assert len(server["file"]) < 100
        assert not options.parse_warnings
    finally:
        options.poller.close()


def test_the_file_holds_no_path_of_the_home_and_no_secret(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_DATABASE_URL", "postgresql://anna:hunter2@db/tidzam")
    table = process_table(home)
    text = configuration_text(table, dict.fromkeys(table.names, "run/x.json"), home.supervision)
    assert "hunter2" not in text
    assert str(home.home) not in text
    assert "inet_http_server" not in text, "no TCP"


def test_a_process_with_a_secret_in_its_settings_has_none_in_its_arguments(home: Settings) -> None:
    settings = home.model_copy(update={"database_url": "postgresql://anna:hunter2@db/tidzam"})
    table = process_table(settings)
    assert table["web"].settings["database_url"].count("hunter2") == 1
    for name in table.names:
        assert not [argument for argument in table[name].command if "hunter2" in argument]
        assert Path(table[name].command[0]).is_absolute()
