"""Settings: the file, then the environment, then options; a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings, config_file, load_settings

EnvironmentIsOurs = pytest.mark.usefixtures("home")
pytestmark = EnvironmentIsOurs


def _write(text: str) -> None:
    config_file().write_text(text)


def test_options_beat_the_environment_which_beats_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    _write("[model_server]\nport = 1001\nhost = '10.0.0.1'\ndeadline_s = 3.5\n")
    assert load_settings().model_server.port == 1001
    monkeypatch.setenv("TIDZAM_MODEL_SERVER__PORT", "1002")
    monkeypatch.setenv("TIDZAM_MODEL_SERVER__HOST", "10.0.0.2")
    assert load_settings().model_server.port == 1002
    merged = load_settings(model_server={"port": 1003}).model_server
    assert (merged.port, merged.host, merged.deadline_s) == (1003, "10.0.0.2", 3.5)


def test_an_option_that_is_none_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_DATABASE_URL", "sqlite:///x.db")
    assert load_settings(database_url=None).database_url == "sqlite:///x.db"


def test_without_a_file_the_defaults_hold_and_listen_on_loopback_only(home: Settings) -> None:
    assert config_file().read_text() == ""
    hosts = [
        getattr(section, "host")  # noqa: B009 - not every section has one
        for _, section in home
        if isinstance(section, BaseModel) and hasattr(section, "host")
    ]
    assert hosts
    assert set(hosts) == {"127.0.0.1"}


def test_everything_lies_in_the_home(home: Settings) -> None:
    folders = [
        home.store_folder,
        home.models_folder,
        home.dagster_folder,
        home.logs_folder,
        home.locks_folder,
    ]
    assert all(folder.is_relative_to(home.home) for folder in folders)
    assert len(set(folders)) == len(folders)
    assert home.catalog_url == f"sqlite:///{home.home}/catalog.db"


def test_the_home_becomes_absolute_and_understands_the_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(home="~/data").home == Path.home() / "data"
    monkeypatch.setenv("TIDZAM_HOME", "here")
    assert load_settings().home == Path.cwd() / "here"


def test_an_empty_path_counts_as_not_set(monkeypatch: pytest.MonkeyPatch, home: Settings) -> None:
    default = load_settings(home="").home
    monkeypatch.setenv("TIDZAM_HOME", "")
    monkeypatch.setenv("TIDZAM_ARCHIVE", "")
    monkeypatch.setenv("TIDZAM_TREE__FILE", "")
    assert load_settings().home == default != Path.cwd()
    assert load_settings().archive_folder == default / "archive"
    assert load_settings().tree.file is None
    _write(f"home = '{home.home}'\narchive = '/recordings'")
    assert load_settings().home == home.home
    assert load_settings().archive_folder == Path("/recordings")
    _write("home = ''\narchive = ''")
    assert load_settings().home == default
    assert load_settings().archive is None


@pytest.mark.parametrize("what", ["absent", "folder"])
def test_a_named_file_that_is_not_there_or_a_folder_is_refused(
    what: str, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.home / what
    (home.home / "folder").mkdir()
    monkeypatch.setenv("TIDZAM_CONFIG", str(path))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("databse_url = 'x'", "databse_url"),
        ("[model_server]\nprot = 1", "model_server.prot"),
        ("[model_server]\nport = 'many'", "model_server.port"),
        ("[model_server]\nport = 65536", "model_server.port"),
        ("[training]\nmax_epochs = 0", "training.max_epochs"),
        ("[decision]\nthreshold = 1.5", "decision.threshold"),
        ("[model_server]\npoll_interval_s = inf", "model_server.poll_interval_s"),
        (
            "[training.augmentation]\nbackground_snr_db = [0.0, nan]",
            "training.augmentation.background_snr_db.1",
        ),
        ("model_server = 3", "model_server"),
    ],
)
def test_a_wrong_line_of_the_file_is_refused_by_name(text: str, named: str) -> None:
    _write(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"  {named}: " in str(caught.value)
    assert str(config_file()) in str(caught.value)


def test_a_wrong_variable_or_option_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"model_server\.port"):
        load_settings(model_server={"port": -1})
    with pytest.raises(SettingsError, match="colour"):
        load_settings(colour="green")
    monkeypatch.setenv("TIDZAM_MODEL_SERVER__PROT", "8500")
    with pytest.raises(SettingsError, match=r"model_server\.prot"):
        load_settings()


def test_a_file_that_is_no_toml_is_refused_by_its_path() -> None:
    _write("[model_server\n")
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        load_settings()
    assert str(config_file()) in str(caught.value)


def test_settings_cannot_be_changed(home: Settings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        home.database_url = "sqlite://"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        home.model_server.port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    def undescribed(model: type[BaseModel], prefix: str) -> list[str]:
        missing: list[str] = []
        for name, field in model.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                assert kind.__doc__
                missing += undescribed(kind, f"{prefix}{name}.")
            elif not field.description:
                missing.append(prefix + name)
        return missing

    assert undescribed(Settings, "") == []
