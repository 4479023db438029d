"""Which code made some weights."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

_CODE_FOLDERS: Final = ("classifiers", "audio")  # whose code decides what weights come out
_BESIDE: Final = ("benchmarks", "evaluation", "gate", "tensorboard")  # within them, what decides nothing


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the source code that weights depend on, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for folder in _CODE_FOLDERS:
        for path in sorted((package / folder).rglob("*.py")):
            name = path.relative_to(package)
            if name.parts[1] not in _BESIDE:
                digest.update(name.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
