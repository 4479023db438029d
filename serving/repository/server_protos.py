"""Two of TensorFlow Serving's configuration messages, which tensorflow-serving-api leaves out.

Names, numbers and types are those of tensorflow_serving/config/monitoring_config.proto and of BatchingParameters in
tensorflow_serving/servables/tensorflow/session_bundle_config.proto.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

_PACKAGE: Final = "tensorflow.serving"
_INT64_VALUE: Final = ".google.protobuf.Int64Value"


def monitoring_config() -> Any:
    """An empty ``MonitoringConfig``."""
    return _message_class("MonitoringConfig")()


def batching_parameters() -> Any:
    """An empty ``BatchingParameters``."""
    return _message_class("BatchingParameters")()


def _message_class(name: str) -> Any:
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@lru_cache(maxsize=1)
def _pool() -> Any:
    """A pool of its own: a release of tensorflow-serving-api that brings these messages is not in our way."""
    from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="tidzam/serving_config.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
    )

    def message(name: str, *fields: tuple[str, int, int, str]) -> None:
        described = file.message_type.add(name=name)
        for field, number, kind, type_name in fields:
            repeated = field == "allowed_batch_sizes"
            added = described.field.add(
                name=field,
                number=number,
                type=kind,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
            )
            if type_name:
                added.type_name = type_name

    message("PrometheusConfig", ("enable", 1, kinds.TYPE_BOOL, ""), ("path", 2, kinds.TYPE_STRING, ""))
    message(
        "MonitoringConfig",
        ("prometheus_config", 1, kinds.TYPE_MESSAGE, f".{_PACKAGE}.PrometheusConfig"),
    )
    message(
        "BatchingParameters",
        ("max_batch_size", 1, kinds.TYPE_MESSAGE, _INT64_VALUE),
        ("batch_timeout_micros", 2, kinds.TYPE_MESSAGE, _INT64_VALUE),
        ("max_enqueued_batches", 3, kinds.TYPE_MESSAGE, _INT64_VALUE),
        ("num_batch_threads", 4, kinds.TYPE_MESSAGE, _INT64_VALUE),
        ("thread_pool_name", 5, kinds.TYPE_MESSAGE, ".google.protobuf.StringValue"),
        ("allowed_batch_sizes", 6, kinds.TYPE_INT64, ""),
        ("pad_variable_length_inputs", 7, kinds.TYPE_BOOL, ""),
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return pool
