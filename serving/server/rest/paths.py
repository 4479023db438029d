"""What a method and a path ask for: ParseModelInfo of TensorFlow Serving's model_servers/http_rest_api_util.cc."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from serving.server.refusals import invalid_argument

_VERSION: Final = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_PREDICTION: Final = re.compile(
    rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", re.ASCII | re.IGNORECASE
)
_STATUS: Final = re.compile(rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.ASCII | re.IGNORECASE)
_API: Final = re.compile(r"/v1/.*", re.ASCII | re.IGNORECASE | re.DOTALL)
_MAX_VERSION: Final = 2**63 - 1

# The API's name in the metrics, by the word in the path.
_APIS: Final = {
    "classify": "Classify",
    "regress": "Regress",
    "predict": "Predict",
    "metadata": "GetModelMetadata",
    None: "GetModelStatus",
}


@dataclass(frozen=True)
class Target:
    """A method (``Predict``, ``Classify``, ``Regress``, ``GetModelStatus``, ``GetModelMetadata``) and its model."""

    api: str
    model: str
    version: int | None = None
    label: str | None = None

    def fill(self, spec: Any) -> None:
        """Write the model and the choice of its version into the ModelSpec ``spec``."""
        spec.name = self.model
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label


def is_api_path(path: str) -> bool:
    """Whether the path belongs to the REST API (model_servers/http_rest_api_handler.h kPathRegex)."""
    return _API.fullmatch(path) is not None


def parse_target(method: str, path: str) -> Target:
    """Read the path of a request, as it was sent: still with its percent signs.

    Raises:
        RefusalError: INVALID_ARGUMENT; there is no such path, or not for that method.
    """
    match = None
    if method == "POST":
        match = _PREDICTION.fullmatch(path)
    elif method == "GET":
        match = _STATUS.fullmatch(path)
    # The pattern takes capitals, the comparison that follows it there does not.
    if match is None or match[4] not in _APIS:
        raise invalid_argument(f"Malformed request: {method} {path}")
    name, version, label, word = match.groups()
    if name is None:
        raise invalid_argument("Missing model name in request.")
    return Target(
        api=_APIS[word],
        model=_decoded(name, "name"),
        version=None if version is None else _number(version),
        label=None if label is None else _decoded(label, "version label"),
    )


def _number(version: str) -> int:
    digits = version.lstrip("0") or "0"
    if len(digits) > len(str(_MAX_VERSION)) or int(digits) > _MAX_VERSION:
        raise invalid_argument(f"Failed to convert version: {version} to numeric.")
    return int(digits)


def _decoded(text: str, what: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as error:
        raise invalid_argument(f"Failed to decode model {what}:{text}") from error
