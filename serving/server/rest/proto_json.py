"""Model status and metadata as JSON: ToJsonString of TensorFlow Serving's model_servers/http_rest_api_util.cc."""

from __future__ import annotations

from typing import Any


def status_text(response: Any) -> str:
    """The JSON of a GetModelStatusResponse."""
    return _text(response)


def metadata_text(response: Any) -> str:
    """The JSON of a GetModelMetadataResponse, its signatures unpacked."""
    spec, signatures = _text(response.model_spec), _text(unpacked_signatures(response))
    return f'{{\n"model_spec":{spec},\n"metadata": {{"signature_def": {signatures}}}\n}}\n'


def unpacked_signatures(response: Any) -> Any:
    """The SignatureDefMap of a GetModelMetadataResponse."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return signatures


def _text(message: Any) -> str:
    from google.protobuf import json_format

    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
    )
