"""The plug-ins, and the file that names outputs of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from streamer.analyzer.outputs.chain_api import ChainApi, ChainApiSpecification
from streamer.analyzer.outputs.devicehive import DeviceHive, DeviceHiveSpecification
from streamer.analyzer.outputs.email import Email, EmailSpecification
from streamer.analyzer.outputs.mqtt import Mqtt, MqttSpecification
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import FOLDER
from streamer.analyzer.outputs.webhook import Webhook, WebhookSpecification
from streamer.analyzer.toml_tables import read_tables
from streamer.engine.fetching.addresses import Resolver, system_resolver

Specification = (
    WebhookSpecification
    | MqttSpecification
    | ChainApiSpecification
    | DeviceHiveSpecification
    | EmailSpecification
)
_TABLE = "output"
_ADAPTER: TypeAdapter[Specification] = TypeAdapter(Annotated[Specification, Field(discriminator="kind")])


def load_outputs(file: Path) -> tuple[Specification, ...]:
    """Read ``[[output]]`` tables (docs/outputs.md); relative paths in them are relative to the file's folder.

    Raises:
        RuleError: the file is not there, is no TOML, or an output makes no sense.
    """
    context = {FOLDER: file.absolute().parent}

    def make(table: Any) -> Specification:
        return _ADAPTER.validate_python(table, context=context)

    return read_tables(file, _TABLE, make)


def make_output(
    specification: Specification,
    *,
    identity: str,
    is_trial: bool = False,
    resolver: Resolver = system_resolver,
) -> Output:
    """The plug-in of a specification; nothing is connected yet.

    Args:
        specification: which.
        identity: of this Tidzam, a few letters that no other one has.
        is_trial: it tells one message beside an analyzer that may run.
        resolver: who looks names up.
    """
    reach = Reach(specification, resolver=resolver)
    if isinstance(specification, WebhookSpecification):
        return Webhook(specification, reach)
    if isinstance(specification, MqttSpecification):
        client_id = f"tidzam-{identity}-{specification.name}{'-trial' if is_trial else ''}"
        return Mqtt(specification, reach, client_id=client_id, speaks_for_all=not is_trial)
    if isinstance(specification, ChainApiSpecification):
        return ChainApi(specification, reach)
    if isinstance(specification, DeviceHiveSpecification):
        return DeviceHive(specification, reach)
    return Email(specification, reach)
