"""The graph of a tree as TensorBoard's graph plugin reads it: one node an operation of Keras, one scope a trunk.

Walked over Keras's own tensors, so that it is the same on every backend. (TensorBoard's reader of Keras's JSON does
not know operations between layers, a trace of TensorFlow is not to be had on JAX.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidzam_platform.classifiers.backend import load_keras
from tidzam_platform.classifiers.trained_tree import TrainedTree


def graph_of(tree: TrainedTree) -> Any:
    """``GraphDef`` from log-mel patches to scores and embedding; a trunk's scope is named after the trunk."""
    walk = _Walk({id(trunk.model): f"trunk_{name}" for name, trunk in tree.trunks.items()})
    for output in tree.hearing.outputs:
        walk.node_of(output, "", {})
    return walk.graph


class _Walk:
    """Adds operations to a graph, each after those that it takes from."""

    def __init__(self, names: Mapping[int, str]) -> None:
        """``names`` of models, by ``id``."""
        from tensorboard.compat.proto.graph_pb2 import GraphDef
        from tensorboard.compat.proto.versions_pb2 import VersionDef

        self.graph = GraphDef(versions=VersionDef(producer=22))
        self._names = names
        self._made_by: dict[str, list[str]] = {}  # nodes of the outputs of what has a name

    def node_of(self, tensor: Any, scope: str, given: Mapping[int, str]) -> str:
        """Name of the node that makes ``tensor``; ``given`` names those of the inputs of a model, by ``id``."""
        operation, index, output = _origin(tensor)
        if id(operation) in given:
            return given[id(operation)]
        is_model = isinstance(operation, load_keras().Model)
        name = (
            scope
            + self._names.get(id(operation), operation.name)
            + (f"_{index}" if index and not is_model else "")
        )
        if name not in self._made_by:  # once, or branches that meet again would double the walk each time
            call = operation._inbound_nodes[index]  # noqa: SLF001 - see _origin
            inputs = [self.node_of(one, scope, given) for one in call.input_tensors]
            if is_model:
                taken = dict(zip((id(_origin(one)[0]) for one in operation.inputs), inputs, strict=True))
                self._made_by[name] = [self.node_of(one, f"{name}/", taken) for one in operation.outputs]
            else:
                self._made_by[name] = [name] * len(call.outputs)
                self._add(name, operation, inputs, call.outputs)
        return self._made_by[name][output]

    def _add(self, name: str, operation: Any, inputs: list[str], outputs: list[Any]) -> None:
        from tensorboard.compat.proto.attr_value_pb2 import AttrValue
        from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

        node = self.graph.node.add(name=name, op=type(operation).__name__, input=inputs)
        shapes = [
            TensorShapeProto(dim=[TensorShapeProto.Dim(size=-1 if d is None else d) for d in one.shape])
            for one in outputs
        ]
        node.attr["_output_shapes"].CopyFrom(AttrValue(list=AttrValue.ListValue(shape=shapes)))
        node.attr["dtype"].s = str(outputs[0].dtype).encode()


def _origin(tensor: Any) -> tuple[Any, int, int]:
    """The operation that made a tensor, which of its calls, and which of that call's outputs it is."""
    operation, call, output = tensor._keras_history  # noqa: SLF001 - Keras has no public way back from a tensor
    return operation, call, output
