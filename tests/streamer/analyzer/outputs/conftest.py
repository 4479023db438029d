"""Those whom outputs tell, each on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chain_api_stand_in import ChainApiStandIn
from tests.support.devicehive_stand_in import DeviceHiveStandIn
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture
def chain_api() -> Iterator[ChainApiStandIn]:
    with ChainApiStandIn() as running:
        yield running


@pytest.fixture
def devicehive() -> Iterator[DeviceHiveStandIn]:
    with DeviceHiveStandIn() as running:
        yield running
