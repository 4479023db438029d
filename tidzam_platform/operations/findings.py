"""What ``./tidzam check`` looks at: Python, the environment, system parts, the data folder, the catalog, the store."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from pathlib import Path
from typing import Final

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.database import parsed_url
from tidzam_platform.errors import SettingsError, TidzamError
from tidzam_platform.home import open_store
from tidzam_platform.operations import stamp
from tidzam_platform.operations.system_parts import PARTS, SystemPart, install_command
from tidzam_platform.settings import PROJECT_ROOT, Settings, load_settings

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)")
_SHOWN: Final = 3  # differing packages named in one line


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        ok: whether it is there and usable.
        needed: whether Tidzam is of little use without it.
        found: what is there; empty where nothing is.
        remedy: what mends it; empty where it is well.
        without: what works where it is missing; empty where that says itself.
    """

    name: str
    ok: bool
    needed: bool
    found: str
    remedy: str = ""
    without: str = ""


def look() -> Iterator[Finding]:
    """Look at everything, one after the other; starts no service and installs nothing."""
    yield _python()
    yield _environment()
    yield from map(_system_part, PARTS)
    try:
        settings = load_settings()
    except SettingsError as error:
        yield Finding("settings", False, True, "", remedy=str(error))
        return
    yield _home(settings.home)
    yield _catalog(settings)
    yield _store(settings)


def _python() -> Finding:
    oldest, newest = stamp.OLDEST_PYTHON, stamp.NEWEST_PYTHON
    ok = oldest <= sys.version_info[:2] <= newest
    found = f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    remedy = "" if ok else f"use Python {oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}"
    return Finding("Python", ok, True, found, remedy)


def _environment() -> Finding:
    """Whether every package that we ask for is there; which differ from constraints.txt is only told."""
    if missing := sorted(_missing_requirements()):
        found = f"missing: {', '.join(missing)}"
        return Finding(
            "environment", False, True, found, remedy=f"remove {sys.prefix} and call ./tidzam again"
        )
    installed = {_normal(package.metadata["Name"]): package.version for package in distributions()}
    constraints = PROJECT_ROOT / "constraints.txt"
    pins = _PIN.finditer(constraints.read_text()) if constraints.exists() else ()
    pinned = {_normal(pin["name"]): pin["version"] for pin in pins}
    differ = [f"{name} {have}" for name, have in installed.items() if pinned.get(name, have) != have]
    note = f", not as in constraints.txt: {', '.join(differ[:_SHOWN])}" if differ else ""
    more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
    return Finding("environment", True, True, f"{len(installed)} packages in {sys.prefix}{note}{more}")


def _missing_requirements() -> Iterator[str]:
    for requirement in requires("tidzam") or []:
        if "extra ==" in requirement:
            continue
        match = re.match(r"[A-Za-z0-9._-]+", requirement)
        name = match.group() if match else requirement
        try:
            version(name)
        except PackageNotFoundError:
            yield name


def _system_part(part: SystemPart) -> Finding:
    needed = part.kind == "needed"
    if program := part.find():
        return Finding(part.name, True, needed, f"{part.version()} ({program})".strip())
    return Finding(part.name, False, needed, "", remedy=install_command([part]), without=part.without)


def _home(home: Path) -> Finding:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
        return Finding(
            "data folder", False, True, str(home), remedy=f"make {existing} writable, or set TIDZAM_HOME"
        )
    free_gb = shutil.disk_usage(existing).free / 1e9
    state = "" if home.exists() else ", not made yet"
    return Finding("data folder", True, True, f"{home} ({free_gb:.0f} GB free{state})")


def _catalog(settings: Settings) -> Finding:
    try:
        url = parsed_url(settings.catalog_url)
        shown = url.render_as_string(hide_password=True)
        if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).exists():
            return Finding("catalog", True, True, f"{shown} (not made yet)")
        Catalog.open(settings.catalog_url).close()
    except TidzamError as error:
        return Finding("catalog", False, True, "", remedy=str(error))
    return Finding("catalog", True, True, shown)


def _store(settings: Settings) -> Finding:
    """The local one is only looked at; a distant one is asked."""
    if not settings.store and not settings.store_folder.exists():
        return Finding("store", True, True, f"{settings.store_folder} (not made yet)")
    try:
        store = open_store(settings)
        store.check()
    except TidzamError as error:
        return Finding("store", False, True, "", remedy=str(error))
    return Finding("store", True, True, str(store))


def _normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
