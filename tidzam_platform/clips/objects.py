"""The objects of a clip in the store: its audio, and what is made of that and must go with it."""

from __future__ import annotations

from pathlib import PurePosixPath

from tidzam_platform.store import ObjectStore


def audio_key(sha256: str, container: str) -> str:
    """The key of a clip's audio, by content: the same bytes are kept once."""
    return f"clips/{sha256[:2]}/{sha256}.{container}"


def fingerprint_key(sha256: str) -> str:
    """The key of what tells near copies of a clip: see ``datasets.near_copies``."""
    return f"fingerprints/{sha256[:2]}/{sha256}.npy"


def delete_clip_objects(store: ObjectStore, store_key: str) -> None:
    """Delete a clip's audio and, before it, what was made of it; what is gone already is no error.

    The audio goes last: a call that a crash cut is repeated for as long as the audio is there.

    Raises:
        StoreError: it failed.
    """
    store.delete(fingerprint_key(PurePosixPath(store_key).stem))
    store.delete(store_key)
