"""A TIDZAM_* that nobody reads is refused with the name that was meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tidzam_platform.archive import exact_start
from tidzam_platform.clips import metadata
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings
from tidzam_platform.variables import READ_ELSEWHERE, require_known_variables

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
    tags = (exact_start, metadata)  # what stands in recordings and clips, not in the environment
    names -= {value for module in tags for name, value in vars(module).items() if name.endswith("_TAG")}
    assert {"TIDZAM_HOME", *READ_ELSEWHERE} <= names
    require_known_variables(Settings, dict.fromkeys(names, ""))
