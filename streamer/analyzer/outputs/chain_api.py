"""chain-api: the value 1 per detection; the device is the channel, the sensor is the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from streamer.analyzer.outputs.chain_site import ChainSite
from streamer.analyzer.outputs.http_sender import HttpSender
from streamer.analyzer.outputs.message import Kind, Message
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.specification import OutputSpecification, WebUrl, shown, taken_apart
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import OutputError, OutputRefusedError
from tidzam_platform.labels.class_paths import is_within


class ChainApiSpecification(OutputSpecification):
    """A site of a chain-api server.

    Attributes:
        url: of the site, e.g. ``https://chain.example.org/sites/7``.
        user: for Basic authentication.
        password: of the user.
    """

    usual: ClassVar[tuple[Kind, ...]] = ("detection",)

    kind: Literal["chain-api"] = "chain-api"
    messages: tuple[Literal["detection"], ...] | None = Field(None, min_length=1)
    url: WebUrl
    user: str | None = Field(None, min_length=1, pattern=r"^[^:\x00-\x1f\x7f]+$")
    password: Secret | None = None

    @property
    def target(self) -> str:
        """The site."""
        return shown(self.url)

    @model_validator(mode="after")
    def _user_and_password(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        return self


class ChainApi(Output):
    """Tells one site. chain-api knows no ids of messages.

    Where the answer to a value never came, its time is looked for among the sensor's data before it is sent again, so
    that it does not stand there twice; a restart in that very moment forgets to look.
    """

    def __init__(self, specification: ChainApiSpecification, reach: Reach) -> None:
        super().__init__(reach)
        self._specification = specification
        self._http = HttpSender(reach)
        self._site = ChainSite(self._http, taken_apart(specification.url))
        self._doubtful: str | None = None  # id of the message that may have arrived

    def deliver(self, messages: Sequence[Message]) -> int:
        """Add one value."""
        message = messages[0]
        class_path = str(message.content["class_path"])
        if is_within(class_path, UNKNOWN) or is_within(class_path, NO_SIGNAL):
            return 1  # the original skipped these
        at = parse_utc(str(message.content["start"]))
        try:
            self._log_in()
            data = self._site.data_of(message.channel, class_path)
            if self._doubtful == message.id and self._site.holds(data, at):
                self._doubtful = None
                return 1
            self._doubtful = message.id
            self._site.add(data, at)
        except OutputRefusedError:
            self._doubtful = None
            raise
        except OutputError:
            self._site.forget()
            raise
        self._doubtful = None
        return 1

    def try_out(self, message: Message) -> str:  # noqa: ARG002 - chain-api holds values, no messages
        """Look at the site; nothing is added."""
        self._log_in()
        return f"the site {self._site.look()!r} is there; nothing was added to it"

    def close(self) -> None:
        """End."""
        self._http.close()
        super().close()

    def _log_in(self) -> None:
        specification = self._specification
        if specification.user is not None and specification.password is not None:
            self._site.log_in(specification.user, specification.password.read())
