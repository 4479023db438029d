"""What one expert of a tree is: its classes, its trunk, its head. A description, not yet a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from tidzam_platform.errors import InvalidNameError, TreeError
from tidzam_platform.labels.class_paths import ancestors, valid_class_path

SELECTOR: Final = "selector"
Trunk = Literal["shared", "own"]
MIN_OUTPUTS: Final = 2  # an expert of one class would say 1.0 to everything
_PART_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class ExpertSpec:
    """One expert of a tree.

    Attributes:
        name: ``selector``, or the class path whose score multiplies the expert's outputs.
        outputs: class paths in the order of the expert's logits, at least two, none above another.
        trunk: ``shared`` sees the embedding that the whole tree shares, ``own`` the front end's patches.
        architecture: name in ``architectures`` of an own trunk, or of the tree's shared one if the expert is the
            selector; None takes the default.
        head: name of the layers between the embedding and the logits.

    Raises:
        TreeError: the values make no sense.
    """

    name: str
    outputs: tuple[str, ...]
    trunk: Trunk = "shared"
    architecture: str | None = None
    head: str = "dense"

    def __post_init__(self) -> None:
        self._check_class_path(self.name, "its name")
        if len(self.outputs) < MIN_OUTPUTS:
            raise TreeError(
                f"expert {self.name!r} has {len(self.outputs)} class(es); an expert chooses between at least "
                f"{MIN_OUTPUTS}: give it more, or make the class an output of the expert above"
            )
        seen: set[str] = set()
        for output in self.outputs:
            self._check_class_path(output, "its output")
            if output in seen:
                raise TreeError(f"expert {self.name!r} names class {output!r} twice")
            seen.add(output)
        for output in self.outputs:
            for above in ancestors(output):
                if above in seen:
                    raise TreeError(
                        f"expert {self.name!r} has class {output!r} and also {above!r}, which lies above it: "
                        f"leave {above!r} out, or give {output!r} to an expert named {above!r}"
                    )
        if self.trunk not in get_args(Trunk):
            raise TreeError(f"expert {self.name!r} has the trunk {self.trunk!r}; write 'shared' or 'own'")
        if self.architecture is not None:
            self._check_part(self.architecture, "architecture")
            if self.trunk == "shared" and self.name != SELECTOR:
                raise TreeError(
                    f"expert {self.name!r} names the architecture {self.architecture!r} but shares the tree's "
                    "trunk: give it trunk 'own', or name the architecture at the selector"
                )
        self._check_part(self.head, "head")

    def _check_class_path(self, path: str, what: str) -> None:
        try:
            valid_class_path(path)
        except InvalidNameError as error:
            raise TreeError(f"expert {self.name!r}, {what}: {error}") from error

    def _check_part(self, name: str, what: str) -> None:
        if not _PART_NAME.fullmatch(name):
            raise TreeError(
                f"expert {self.name!r} has the {what} {name!r}: use letters, digits, '_', '.' and '-'"
            )


def expert_from_table(
    name: str, table: Mapping[str, Any], place: str, *, outputs_key: str = "outputs"
) -> ExpertSpec:
    """The expert that a table of JSON or TOML describes.

    Args:
        name: of the expert.
        table: ``outputs_key`` and, where they differ from the default, ``trunk``, ``architecture``, ``head``.
        place: where the table is, for messages.
        outputs_key: under which the class paths stand.

    Raises:
        TreeError: a key is unknown or missing, a value is of another type, or the expert makes no sense.
    """
    known = (outputs_key, "trunk", "architecture", "head")
    for key in table:
        if key not in known:
            raise TreeError(f"{place}.{key} is not known; known here: {', '.join(known)}")
    if outputs_key not in table:
        raise TreeError(
            f"{place} has no {outputs_key}: list the class paths between which the expert chooses"
        )
    outputs = table[outputs_key]
    if not isinstance(outputs, list | tuple) or not all(isinstance(output, str) for output in outputs):
        raise TreeError(f"{place}.{outputs_key} is {outputs!r}; it must be a list of class paths")
    for key in ("trunk", "architecture", "head"):
        if key in table and not (
            isinstance(table[key], str) or (key == "architecture" and table[key] is None)
        ):
            raise TreeError(f"{place}.{key} is {table[key]!r}; it must be a text")
    try:
        return ExpertSpec(name, tuple(outputs), **{key: table[key] for key in known[1:] if key in table})
    except TreeError as error:
        raise TreeError(f"{place}: {error}") from error
