"""The tree of experts: who decides between which classes, and in which order a sound is handed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, get_args

from tidzam_platform.classifiers.tree.activation import ACTIVATIONS, Activation, Labels
from tidzam_platform.classifiers.tree.expert_spec import SELECTOR, ExpertSpec, Trunk, expert_from_table
from tidzam_platform.errors import TreeError
from tidzam_platform.labels.class_paths import ancestors, is_within, parent, with_ancestors

__all__ = ["SELECTOR", "ExpertSpec", "TreeSpec", "Trunk"]


@dataclass(frozen=True)
class TreeSpec:
    """Experts of a tree of any depth; the first is ``selector``.

    Every other expert's name is a class: an output of exactly one expert before it. Its outputs lie below that class,
    and no class is an output of two experts. So one chain of decisions leads to each output, and the combined score
    of an output is the product along its chain.

    Attributes:
        experts: from the top down.
        labels: ``single`` if one class sounds in a clip, ``multi`` if any number may; see ``activation``.

    Raises:
        TreeError: the experts do not fit together; the message names the expert and the class.
    """

    experts: tuple[ExpertSpec, ...]
    labels: Labels = "single"

    def __post_init__(self) -> None:
        if self.labels not in get_args(Labels):
            raise TreeError(f"the labels of a tree are {' or '.join(get_args(Labels))}, not {self.labels!r}")
        if not self.experts or self.experts[0].name != SELECTOR:
            first = repr(self.experts[0].name) if self.experts else "none"
            raise TreeError(f"the first expert of a tree is {SELECTOR!r}; here it is {first}")
        owners: dict[str, str] = {}
        names: set[str] = set()
        for expert in self.experts:
            self._check_place(expert, owners, names)
            names.add(expert.name)
            for output in expert.outputs:
                if output in owners:
                    raise TreeError(
                        f"class {output!r} is an output of two experts, {owners[output]!r} and {expert.name!r}"
                    )
                owners[output] = expert.name

    def _check_place(self, expert: ExpertSpec, owners: Mapping[str, str], names: set[str]) -> None:
        if expert.name in names:
            raise TreeError(f"two experts are named {expert.name!r}")
        if not names:
            return
        if expert.name not in owners:
            later = next((other.name for other in self.experts if expert.name in other.outputs), None)
            raise TreeError(
                f"expert {expert.name!r} must follow expert {later!r}, whose class it divides"
                if later
                else f"expert {expert.name!r} divides no class: no expert has the output {expert.name!r}"
            )
        for output in expert.outputs:
            if output == expert.name or not is_within(output, expert.name):
                raise TreeError(
                    f"expert {expert.name!r} has the output {output!r}, which does not lie below {expert.name!r}: "
                    f"write it like {expert.name}-{output.rpartition('-')[2]}"
                )

    @property
    def activation(self) -> Activation:
        """What makes probabilities of the logits of its experts."""
        return ACTIVATIONS[self.labels]

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Outputs of all experts, one after the other: the order of the logits."""
        return tuple(output for expert in self.experts for output in expert.outputs)

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """All outputs and every class above one of them, ascending: the order of ``scores``."""
        return tuple(with_ancestors(set(self.outputs)))

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """The nodes that are no other node's parent, ascending."""
        inner = {parent(node) for node in self.nodes}
        return tuple(node for node in self.nodes if node not in inner)

    def parent_of(self, node: str) -> str | None:
        """The node one level up, None at the top; TreeError if the tree has no such node."""
        self.expert_of(node)
        return parent(node)

    def expert(self, name: str) -> ExpertSpec:
        """The expert of that name; TreeError if there is none."""
        for expert in self.experts:
            if expert.name == name:
                return expert
        raise TreeError(f"the tree has no expert {name!r}; it has {', '.join(e.name for e in self.experts)}")

    def expert_of(self, node: str) -> ExpertSpec:
        """The expert that decides on ``node``: whose output it is, or whose outputs lie nearest below it.

        Raises:
            TreeError: the tree has no such node.
        """
        try:
            return self._deciders[node]
        except KeyError:
            raise TreeError(f"the tree has no class {node!r}") from None

    @cached_property
    def _deciders(self) -> dict[str, ExpertSpec]:
        deciders: dict[str, ExpertSpec] = {}
        for expert in self.experts:  # from the top down, so that the expert nearest to the node comes first
            for output in expert.outputs:
                for node in (*ancestors(output), output):
                    deciders.setdefault(node, expert)
        return deciders

    def path_to(self, node: str) -> list[tuple[str, int]]:
        """The chain of decisions that leads to ``node``, from the selector down.

        For a leaf or any other output, the product of the probabilities at these places is its combined score, and
        the sum of their negative logarithms a hierarchical loss. For a node that is no output, the chain ends before
        the expert that divides it: a clip that is labelled just so tells nothing of what that expert should say.

        Returns:
            Pairs of an expert's name and the index of its output.

        Raises:
            TreeError: the tree has no such node.
        """
        expert = self.expert_of(node)
        above = [] if expert.name == SELECTOR else self.path_to(expert.name)
        return [*above, (expert.name, expert.outputs.index(node))] if node in expert.outputs else above

    def covers(self, class_path: str) -> str | None:
        """The deepest node that a label lies at or under, None if it lies under none of them."""
        for candidate in (class_path, *reversed(ancestors(class_path))):
            if candidate in self._deciders:
                return candidate
        return None

    def to_dict(self) -> dict[str, Any]:
        """The tree as JSON holds it."""
        experts = [{**asdict(expert), "outputs": list(expert.outputs)} for expert in self.experts]
        return {"labels": self.labels, "experts": experts}

    @classmethod
    def from_dict(cls, values: Any) -> TreeSpec:
        """Read what ``to_dict`` gave; without ``labels`` the tree is of single ones, as all once were.

        Raises:
            TreeError: it is of another form, or the experts do not fit together.
        """
        experts = values.get("experts") if isinstance(values, Mapping) else None
        if not isinstance(experts, list | tuple):
            raise TreeError("a tree is an object with a list 'experts'")
        specs = []
        for number, table in enumerate(experts):
            place = f"experts[{number}]"
            if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
                raise TreeError(f"{place} is no object with a text 'name'")
            rest = {str(key): value for key, value in table.items() if key != "name"}
            specs.append(expert_from_table(table["name"], rest, place))
        return cls(tuple(specs), values.get("labels", "single"))
