"""E-mail: each message one mail, by SMTP (RFC 5321) with TLS."""

from __future__ import annotations

import contextlib
import logging
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from streamer.analyzer.outputs.message import Kind, Message
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.specification import Host, OutputSpecification
from streamer.engine.fetching.http_heads import printable
from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import OutputError, OutputRefusedError
from tidzam_platform.operations.ports import join_address

_LOG = logging.getLogger(__name__)
_PORTS: Final = {"tls": 465, "starttls": 587, "none": 25}
_FOR_GOOD: Final = range(500, 600)  # RFC 5321 section 4.2.1
_READY: Final = 220
_MAX_SAID: Final = 200  # of what a server says, in a message of ours
_PATIENCE_S: Final = 3600.0  # with recipients put off while others have the mail: later mail waits for them

MailAddress = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.\[\]:-]+$", max_length=254)
]


class EmailSpecification(OutputSpecification):
    """A mail server and who gets mail.

    Attributes:
        host: name or address of the server.
        port: 465 with ``tls``, 587 with ``starttls``, 25 with ``none``, unless said otherwise.
        encryption: ``tls``: from the beginning; ``starttls``: before anything is said, or nothing is sent;
            ``none``: not at all.
        user: whom the server knows us as.
        password: of the user.
        sender: whom the mail is from.
        recipients: whom it is for.
        subject: what subjects begin with.
        hello: the name that we give ourselves to the server.
    """

    usual: ClassVar[tuple[Kind, ...]] = ("alert",)

    kind: Literal["email"] = "email"
    host: Host
    port: int | None = Field(None, ge=1, le=65535)
    encryption: Literal["tls", "starttls", "none"] = "starttls"
    user: str | None = Field(None, min_length=1, max_length=200)
    password: Secret | None = None
    sender: MailAddress
    recipients: tuple[MailAddress, ...] = Field(min_length=1, max_length=50)
    subject: str = Field("[tidzam]", max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")
    hello: str = Field("localhost", pattern=r"^[A-Za-z0-9.\[\]:-]{1,200}$")

    @property
    def target(self) -> str:
        """Server and recipients."""
        return f"{self.address} for {', '.join(self.recipients)}"

    @property
    def known_port(self) -> int:
        """The port, the usual one resolved."""
        return self.port or _PORTS[self.encryption]

    @property
    def address(self) -> str:
        """``host:port``."""
        return join_address(self.host, self.known_port)

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together")
        return self


class _Smtp(smtplib.SMTP):
    """``smtplib``'s client on a socket that is connected already: the address was checked and pinned."""

    def __init__(self, connected: socket.socket, specification: EmailSpecification, timeout_s: float) -> None:
        self._connected = connected
        super().__init__(local_hostname=specification.hello, timeout=timeout_s)
        self._host = specification.host  # what starttls checks the certificate against

    def _get_socket(self, _host: object, _port: object, _timeout: object) -> socket.socket:
        return self._connected


@dataclass(frozen=True, slots=True)
class _Owed:
    """Who has not got the mail of a message yet, since when that is tried, and whether anybody has got it."""

    message_id: str
    recipients: tuple[str, ...]
    since_s: float
    somebody_has_it: bool = False


class Email(Output):
    """Sends through one server; a connection a mail. ``monotonic`` is the clock that patience goes by, s."""

    def __init__(
        self,
        specification: EmailSpecification,
        reach: Reach,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(reach)
        self._specification = specification
        self._monotonic = monotonic
        self._owed: _Owed | None = None

    def deliver(self, messages: Sequence[Message]) -> int:
        """Send one mail. Those of several recipients that are refused for good are left out.

        Where some are put off (4xx) it raises OutputError, and the next try of the same message goes to them alone;
        an hour after the first try they are left out, too, if others have got the mail.
        """
        message = messages[0]
        mail = self._mail(message)
        owed = self._owed
        if owed is None or owed.message_id != message.id:
            owed = _Owed(message.id, self._specification.recipients, self._monotonic())
        with self._connected() as smtp, self._errors(about_mail=True):
            try:
                refused = smtp.send_message(mail, self._specification.sender, list(owed.recipients))
                left = _still_owed(owed, refused, were_taken=True)
            except smtplib.SMTPRecipientsRefused as error:
                refused = error.recipients
                left = _still_owed(owed, refused, were_taken=False)
                if not left.somebody_has_it:  # so it is the mail itself that is put off or refused
                    self._owed = left if left.recipients else None
                    self._say_who_is_left_out(refused, left if left.recipients else owed)
                    raise
        if left.recipients and self._monotonic() - owed.since_s < _PATIENCE_S:
            self._owed = left
            self._say_who_is_left_out(refused, left)
            raise OutputError(self._put_off(left, refused))
        self._owed = None
        self._say_who_is_left_out(refused, replace(left, recipients=()))
        return 1

    def _say_who_is_left_out(self, refused: Mapping[str, tuple[int, bytes]], left: _Owed) -> None:
        for recipient, answer in refused.items():
            if recipient not in left.recipients:
                _LOG.warning(
                    "%s: %s does not get mail: %s", self._specification.name, recipient, _said(answer)
                )

    def try_out(self, message: Message) -> str:
        """Send a mail."""
        self.deliver([message])
        return f"the server took a mail for {', '.join(self._specification.recipients)}"

    def _put_off(self, left: _Owed, refused: Mapping[str, tuple[int, bytes]]) -> str:
        who = ", ".join(left.recipients)
        answer = next(refused[one] for one in left.recipients if one in refused)
        return (
            f"the mail server {self._specification.address} puts off {who}, not the others: {_said(answer)}"
        )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[_Smtp]:
        specification = self._specification
        connected = self.reach.open_socket(
            specification.host,
            specification.known_port,
            tls=specification.encryption == "tls",
            deadline_s=self.reach.deadline_s(),
        )
        connected.settimeout(specification.deadline_s)
        smtp = _Smtp(connected, specification, specification.deadline_s)
        leave = self.reach.cancel.subscribe(lambda: _hang_up(smtp, connected))
        try:
            with self._errors(about_mail=False):
                self._greet(smtp)
            yield smtp
            with contextlib.suppress(
                OSError, smtplib.SMTPException
            ):  # the mail is taken: nothing matters any more
                smtp.quit()
        finally:
            leave()
            smtp.close()
            connected.close()

    def _greet(self, smtp: _Smtp) -> None:
        specification = self._specification
        code, said = smtp.connect(specification.host, specification.known_port)
        if code != _READY:
            raise smtplib.SMTPConnectError(code, said)
        smtp.ehlo_or_helo_if_needed()
        if specification.encryption == "starttls":
            smtp.starttls(context=self.reach.tls_context())
        if specification.user is not None and specification.password is not None:
            smtp.login(specification.user, specification.password.read())

    @contextlib.contextmanager
    def _errors(self, *, about_mail: bool) -> Iterator[None]:
        """What smtplib raises, as what it means: only what is answered to the mail itself can be for good."""
        server = f"the mail server {self._specification.address}"
        try:
            yield
        except smtplib.SMTPRecipientsRefused as error:
            codes = {code for code, _ in error.recipients.values()}
            said = f"{server} takes none of the recipients: {_said(next(iter(error.recipients.values())))}"
            for_good = all(code in _FOR_GOOD for code in codes)
            raise (OutputRefusedError(said) if for_good else OutputError(said)) from error
        except smtplib.SMTPResponseException as error:
            said = f"{server} answers {_said((error.smtp_code, error.smtp_error))}"
            for_good = about_mail and error.smtp_code in _FOR_GOOD
            raise (OutputRefusedError(said) if for_good else OutputError(said)) from error
        except smtplib.SMTPNotSupportedError as error:
            raise OutputError(f"{server} cannot do what is wanted of it: {error}") from error
        except (smtplib.SMTPException, ssl.SSLError, OSError) as error:
            because = getattr(error, "strerror", None) or error
            raise OutputError(f"{server} was not reached, or ended the connection: {because}") from error

    def _mail(self, message: Message) -> EmailMessage:
        content = message.content
        mail = EmailMessage()
        title = " ".join(str(content.get("text") or _title(message)).split())
        mail["Subject"] = f"{self._specification.subject} {title}".strip()
        mail["From"] = self._specification.sender
        mail["To"] = ", ".join(self._specification.recipients)
        mail["Date"] = format_datetime(_made_at(message))
        mail["Message-ID"] = (
            f"<{message.id}@tidzam.invalid>"  # the same in every try: mail programs show it once
        )
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes, please
        lines = [f"{name}: {value}" for name, value in content.items() if value not in (None, "", [])]
        mail.set_content("\n".join([title, "", *lines, ""]))
        return mail


def _still_owed(owed: _Owed, refused: Mapping[str, tuple[int, bytes]], *, were_taken: bool) -> _Owed:
    """Who is still owed the mail; those not in ``refused`` have it, or were not asked unless ``were_taken``."""
    left = tuple(
        one
        for one in owed.recipients
        if (refused[one][0] not in _FOR_GOOD if one in refused else not were_taken)
    )
    return replace(owed, recipients=left, somebody_has_it=owed.somebody_has_it or were_taken)


def _title(message: Message) -> str:
    content = message.content
    what = content.get("class_path") or content.get("condition") or message.kind
    return f"{what} on {message.channel}" if message.channel else str(what)


def _made_at(message: Message) -> datetime:
    return parse_utc(str(message.content["made_at"]))


def _said(answer: tuple[int, bytes | str]) -> str:
    code, text = answer
    line = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {printable(' '.join(line.split()), _MAX_SAID)}"


def _hang_up(smtp: smtplib.SMTP, connected: socket.socket) -> None:
    """End what another thread waits for."""
    for one in (smtp.sock, connected):
        if one is not None:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
