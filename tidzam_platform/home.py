"""The opened data folder: catalog and store together, as commands and assets use them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tidzam_platform.catalog import Catalog
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings, load_settings
from tidzam_platform.store import LocalStore, ObjectStore, S3Location, S3Store
from tidzam_platform.store.s3_client import CREDENTIALS_FILE

_REMEDY = "make it writable, or name another with --home or TIDZAM_HOME"


@dataclass(frozen=True)
class Home:
    """Settings, catalog and store of one data folder."""

    settings: Settings
    catalog: Catalog
    store: ObjectStore

    @classmethod
    def open(cls, settings: Settings | None = None) -> Home:
        """Open the home that the settings name; its folders and schema are made where they are missing.

        Raises:
            SettingsError: the home cannot be made, or may not be written to.
            StoreError: the store cannot be used: it is asked once, cheaply.
            CatalogError: see ``Catalog.open``.
        """
        settings = settings or load_settings()
        make_home_folder(settings.home)
        if not os.access(settings.home, os.W_OK | os.X_OK):
            raise SettingsError(f"the data folder {settings.home} may not be written to; {_REMEDY}")
        store = open_store(settings)
        store.check()
        return cls(settings, Catalog.open(settings.catalog_url), store)


def open_store(settings: Settings) -> ObjectStore:
    """The store that the settings name, for processes that need no catalog; nothing is asked of a distant one yet.

    Raises:
        StoreRefusedError: the credentials of the home cannot be used.
    """
    if not settings.store:
        return LocalStore(settings.store_folder)
    return S3Store(
        S3Location.parse(settings.store),
        settings.s3,
        settings.store_cache_folder,
        settings.secrets_folder / CREDENTIALS_FILE,
    )


def make_home_folder(home: Path) -> None:
    """Make the data folder where there is none; SettingsError if that cannot be done."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingsError(
            f"the data folder {home} cannot be made: a file stands there; name another with --home or TIDZAM_HOME"
        ) from error
    except OSError as error:
        raise SettingsError(f"the data folder {home} cannot be made ({error.strerror}); {_REMEDY}") from error
