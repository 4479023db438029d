"""A TIDZAM_* that nobody reads is refused with the name that was meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidzam_platform.archive import erased_tag, exact_start
from tidzam_platform.clips import metadata
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings, load_settings
from tidzam_platform.variables import READ_ELSEWHERE, require_known_variables, require_lists_in_json

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TIDZAM_HOM", "TIDZAM_HOME?"),
        ("TIDZAM_HOME__X", "TIDZAM_HOME?"),
        ("TIDZAM_TRANING__MAX", "TIDZAM_TRAINING__MAX_EPOCHS?"),
        ("TIDZAM_MODEL_SERVER_PORT", "TIDZAM_MODEL_SERVER__PORT?"),
        ("TIDZAM_INSTALL_PART", "TIDZAM_INSTALL_PARTS?"),
        ("TIDZAM_ZZZZZZZZZZZZ", "docs/settings.md"),
        ("TIDZAM_", "docs/settings.md"),
        ("tidzam_hom", "TIDZAM_HOME?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(meant)) as caught:
        require_known_variables(Settings, {"PATH": "/bin", name: "1"})
    assert str(caught.value).startswith(f"{name} is no setting")


def test_what_is_read_is_known() -> None:
    require_known_variables(
        Settings,
        dict.fromkeys(
            (
                *READ_ELSEWHERE,
                "TIDZAM_HOME",
                "tidzam_home",
                "TIDZAM_MODEL_SERVER__PORT",
                "TIDZAM_MODEL_SERVER",
                "TIDZAM_TEST_DATA",
                "TIDZAMX",
                "HOME",
            ),
            "1",
        ),
    )


def test_every_name_in_the_code_is_known() -> None:
    files = [ROOT / "tidzam", *(ROOT / ".ci").iterdir()]
    for room in ("tidzam_platform", "serving", "assets", "streamer"):
        files += (ROOT / room).rglob("*.py")
    names = {name for path in files for name in re.findall(r"\bTIDZAM_[A-Z][A-Z_]*[A-Z]\b", path.read_text())}
    tags = (erased_tag, exact_start, metadata)  # what stands in recordings and clips, not in the environment
    names -= {value for module in tags for name, value in vars(module).items() if name.endswith("_TAG")}
    assert {"TIDZAM_HOME", *READ_ELSEWHERE} <= names
    require_known_variables(Settings, dict.fromkeys(names, ""))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("127.0.0.1", """'["127.0.0.1"]'"""),
        ("a.example, b.example", """'["a.example", "b.example"]'"""),
        ("['a.example']", """'["a.example"]'"""),
        ('"a.example"', """'["a.example"]'"""),
        ("", "'[]'"),
    ],
)
@pytest.mark.parametrize("name", ["TIDZAM_SOURCES__ALLOWED_HOSTS", "tidzam_sources__allowed_hosts"])
def test_a_list_that_is_no_json_is_told_by_its_variable(name: str, text: str, written: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"write it as {written}")) as caught:
        require_lists_in_json(Settings, {name: text})
    assert str(caught.value).startswith(name)
    require_lists_in_json(Settings, {name: written.strip("'")})


def test_a_list_of_numbers_is_written_as_numbers() -> None:
    name = "TIDZAM_TRAINING__AUGMENTATION__BACKGROUND_SNR_DB"
    with pytest.raises(SettingsError, match=re.escape("'[0.0, 20.0]'")):
        require_lists_in_json(Settings, {name: "0,20"})


def test_a_wrong_value_names_its_variable_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_WEB__PORT", "many")
    with pytest.raises(SettingsError, match=r"web\.port: .*\(TIDZAM_WEB__PORT says so\)"):
        load_settings()
    monkeypatch.delenv("TIDZAM_WEB__PORT")
    with pytest.raises(SettingsError) as caught:
        load_settings(web={"port": "many"})
    assert "says so" not in str(caught.value)
