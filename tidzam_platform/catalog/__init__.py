"""The database: sources, recordings, clips, annotations, groups, dataset versions, generations, detections."""

from tidzam_platform.catalog.database import Catalog

__all__ = ["Catalog"]
