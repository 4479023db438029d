"""The opened data folder: catalog and store together, as commands and assets use them."""

from __future__ import annotations

from dataclasses import dataclass

from tidzam_platform.catalog import Catalog
from tidzam_platform.settings import Settings, load_settings
from tidzam_platform.store import LocalStore, ObjectStore


@dataclass(frozen=True)
class Home:
    """Settings, catalog and store of one data folder."""

    settings: Settings
    catalog: Catalog
    store: ObjectStore

    @classmethod
    def open(cls, settings: Settings | None = None) -> Home:
        """Open the home that the settings name; its folders and schema are made where they are missing."""
        settings = settings or load_settings()
        settings.home.mkdir(parents=True, exist_ok=True)
        return cls(settings, Catalog.open(settings.catalog_url), LocalStore(settings.store_folder))
