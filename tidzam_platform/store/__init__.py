"""Objects by key: a local folder now, S3 behind the same interface."""

from tidzam_platform.store.base import ObjectStore, valid_key
from tidzam_platform.store.local import LocalStore

__all__ = ["LocalStore", "ObjectStore", "valid_key"]
