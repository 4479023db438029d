"""Objects by key: in a local folder, or in a bucket of S3, behind one interface."""

from tidzam_platform.store.base import ObjectStore, valid_key
from tidzam_platform.store.local import LocalStore
from tidzam_platform.store.location import S3Location
from tidzam_platform.store.s3 import S3Store

__all__ = ["LocalStore", "ObjectStore", "S3Location", "S3Store", "valid_key"]
