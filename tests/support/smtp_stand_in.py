"""A mail server on loopback: takes mail, with STARTTLS and logging in where that is wanted (RFC 5321, 3207, 4954)."""

from __future__ import annotations

import base64
import contextlib
import email
import email.policy
import socketserver
import ssl
import threading
from email.message import EmailMessage
from typing import Self

from tidzam_platform.operations.ports import free_port


class SmtpStandIn:
    """Up while the context lasts.

    Attributes:
        port: on 127.0.0.1.
        mails: what was taken.
        recipients: for whom, a list for each mail.
        answers: by command (``RCPT``, ``DATA``, ...) or recipient, what is answered in place of what it would.
        logins: (user, password) that were tried.
        were_encrypted: for each mail whether TLS was on.
    """

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        wants_login: bool = False,
    ) -> None:
        self.port = free_port()
        self.starttls, self.tls, self.wants_login = starttls, tls, wants_login
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.were_encrypted: list[bool] = []
        self.logins: list[tuple[str, str]] = []
        self.answers: dict[str, str] = {}
        self._server = _Server(("127.0.0.1", self.port), _Session)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = False
    stand_in: SmtpStandIn

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may end their connections at any time."""


class _Session(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        stand_in = self.server.stand_in
        self.request.settimeout(10)
        connection = self.request
        if stand_in.tls is not None:
            connection = stand_in.tls.wrap_socket(connection, server_side=True)
        try:
            self._talk(connection, stand_in, encrypted=stand_in.tls is not None)
        finally:
            connection.close()

    def _talk(self, connection: object, stand_in: SmtpStandIn, *, encrypted: bool) -> None:
        lines = _Lines(connection)
        lines.say(stand_in.answers.get("CONNECT", "220 stand-in"))
        recipients: list[str] = []
        while line := lines.read():
            command = line[:4].upper()
            if command in stand_in.answers:
                lines.say(stand_in.answers[command])
            elif command == "EHLO":
                offers = ["stand-in"]
                if stand_in.starttls is not None and not encrypted:
                    offers.append("STARTTLS")
                if stand_in.wants_login:
                    offers.append("AUTH PLAIN")
                for offer in offers[:-1]:
                    lines.say(f"250-{offer}")
                lines.say(f"250 {offers[-1]}")
            elif command == "STAR" and stand_in.starttls is not None:
                lines.say("220 go on")
                secured = stand_in.starttls.wrap_socket(lines.take_over(), server_side=True)
                lines, encrypted = _Lines(secured), True
            elif command == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                stand_in.logins.append((user, password))
                lines.say("235 welcome" if password == "right" else "535 no such user")
            elif command == "RCPT":
                recipient = line.partition("<")[2].rpartition(">")[0]
                if recipient in stand_in.answers:
                    lines.say(stand_in.answers[recipient])
                elif recipient.startswith("nobody"):
                    lines.say("550 nobody of that name")
                else:
                    recipients.append(recipient)
                    lines.say("250 fine")
            elif command == "DATA":
                lines.say("354 go on")
                stand_in.mails.append(
                    email.message_from_bytes(lines.read_data(), policy=email.policy.default)
                )
                stand_in.recipients.append(list(recipients))
                stand_in.were_encrypted.append(encrypted)
                lines.say("250 taken")
            elif command == "QUIT":
                lines.say("221 bye")
                break
            else:
                lines.say("250 fine")
        lines.close()


class _Lines:
    """A connection by lines."""

    def __init__(self, connection: object) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")  # type: ignore[attr-defined]

    def say(self, line: str) -> None:
        self._connection.sendall(f"{line}\r\n".encode())  # type: ignore[attr-defined]

    def read(self) -> str:
        return self._file.readline().decode().strip()

    def read_data(self) -> bytes:
        found = []
        while (line := self._file.readline()) != b".\r\n":
            found.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(found)

    def take_over(self) -> object:
        self._file.close()
        return self._connection

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
            self._connection.close()  # type: ignore[attr-defined]
