"""What all outputs have in common in their file: which messages they tell, and how they reach whom they tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from streamer.analyzer.choosing import ChannelPattern, ClassChoice, is_chosen_class
from streamer.analyzer.outputs.message import Kind, Message
from streamer.analyzer.outputs.secret import in_folder
from streamer.engine.fetching.urls import StreamUrl, parse_url
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.errors import RefusedAddressError

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"


def _web_url(text: str) -> str:
    try:
        url = parse_url(text)
    except RefusedAddressError as error:
        raise ValueError(str(error)) from error
    if url.scheme not in ("http", "https"):
        raise ValueError(f"{url} is none of http or https")
    if url.login is not None:
        raise ValueError(
            f"{url}: a user and password do not belong into a URL here; there are fields for them"
        )
    return text


def _host(text: str) -> str:
    try:
        return parse_url(f"http://{text}/").host
    except RefusedAddressError as error:
        raise ValueError("a host is a name, an IPv4 address, or an IPv6 address in brackets") from error


WebUrl = Annotated[str, AfterValidator(_web_url)]
"""http or https, without user and password."""

Host = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)$"), AfterValidator(_host)]
"""A name or an address; without brackets once it was read."""


class OutputSpecification(BaseModel):
    """What every output has.

    Attributes:
        name: of the output, unlike all others; its queue is named by it.
        kind: which plug-in it is.
        enabled: whether it tells anything; its queue is kept.
        messages: which kinds it tells.
        channels: patterns of channel names; alerts that count over several channels are told anyway.
        classes: only detections of these classes and those below them; ``*``: all.
        min_score: only detections with this score at least.
        private_addresses: whether it may connect to addresses that are not public, e.g. of this network.
        allowed_hosts: names and addresses that it may connect to though they are not public.
        ca_file: PEM file of certificates to trust in place of the system's.
        deadline_s: how long one request may take.
        backoff_max_s: longest wait between tries while it is not reached.
        max_attempts: a message that it answers and fails at (HTTP 500) so often is put aside.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    usual: ClassVar[tuple[Kind, ...]] = ("detection", "alert")
    """Which kinds it tells unless its table says otherwise."""

    name: str = Field(pattern=NAME)
    kind: str
    enabled: bool = True
    messages: tuple[Kind, ...] | None = Field(None, min_length=1)
    channels: tuple[ChannelPattern, ...] = Field(("*",), min_length=1)
    classes: tuple[ClassChoice, ...] = Field(("*",), min_length=1)
    min_score: float = Field(0.0, ge=0, le=1)
    private_addresses: bool = False
    allowed_hosts: tuple[str, ...] = ()
    ca_file: Path | None = None
    deadline_s: float = Field(10.0, gt=0, le=120)
    backoff_max_s: float = Field(60.0, gt=0, le=3600)
    max_attempts: int = Field(10, ge=1, le=1000)

    _resolve = field_validator("ca_file")(in_folder)

    @property
    def target(self) -> str:
        """Whom it tells, for people; without secrets."""
        raise NotImplementedError

    @property
    def told(self) -> tuple[Kind, ...]:
        """The kinds that it tells."""
        return self.usual if self.messages is None else self.messages

    def concerns(self, message: Message) -> bool:
        """Whether it tells that message."""
        if message.kind not in self.told:
            return False
        if message.outputs and self.name not in message.outputs:
            return False
        if message.channel and not matches_channel(message.channel, self.channels):
            return False
        if message.kind != "detection":
            return True
        content = message.content
        return content["score"] >= self.min_score and is_chosen_class(content["class_path"], self.classes)


def shown(url: str) -> str:
    """A URL for people: without its query, which often holds a token."""
    return str(parse_url(url))


def taken_apart(url: str) -> StreamUrl:
    """A URL that was validated as WebUrl."""
    return parse_url(url)
