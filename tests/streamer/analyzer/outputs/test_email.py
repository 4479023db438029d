"""Mail: what is sent, to whom, encrypted or not at all, and what each answer means."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from streamer.analyzer.alerts import Alert
from streamer.analyzer.outputs.email import Email, EmailSpecification
from streamer.analyzer.outputs.message import Message, message_of, message_to_try
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.reach import Reach
from tests.streamer.analyzer.outputs.made import NOON, message, plug_in, private, seconds, specification
from tests.support.certificates import tls_for
from tests.support.smtp_stand_in import SmtpStandIn
from tidzam_platform.errors import OutputError, OutputRefusedError


def make(folder: Path, server: SmtpStandIn, more: str = 'encryption = "none"') -> Output:
    text = (
        f'name = "mail"\nkind = "email"\nhost = "127.0.0.1"\nport = {server.port}\ndeadline_s = 2\n'
        f'sender = "tidzam@example.org"\nsubject = "[marsh]"\n{more}\n'
    )
    return plug_in(folder, text if "recipients" in more else f'{text}recipients = ["ann@example.org"]')


def alert(text: str = "fox: mammals-fox heard on pen:out_2 (score 0.93)") -> Message:
    return message_of(Alert("fox", "class", "pen:out_2", NOON, text, "mammals-fox", 0.93, 1), NOON)


def test_an_alert_is_a_mail(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        output = make(
            tmp_path, server, 'encryption = "none"\nrecipients = ["ann@example.org", "bob@example.org"]'
        )
        assert output.deliver([alert()]) == 1
        output.close()
    (mail,) = server.mails
    assert server.recipients == [["ann@example.org", "bob@example.org"]]
    assert mail["Subject"] == "[marsh] fox: mammals-fox heard on pen:out_2 (score 0.93)"
    assert mail["From"] == "tidzam@example.org"
    assert mail["To"] == "ann@example.org, bob@example.org"
    assert mail["Message-ID"] == f"<{alert().id}@tidzam.invalid>"
    assert mail["Date"] == "Wed, 01 Apr 2026 12:00:00 +0000"
    body = mail.get_content()
    assert "channel: pen:out_2" in body
    assert "score: 0.93" in body


def test_a_line_end_in_a_text_adds_no_header(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        output = make(tmp_path, server)
        output.deliver([alert("fox\r\nBcc: mallory@example.org\r\n\r\nböse")])
        output.deliver([message()])
        output.close()
    mail, detection = server.mails
    assert mail["Bcc"] is None
    assert mail["Subject"] == "[marsh] fox Bcc: mallory@example.org böse"
    assert server.recipients[0] == ["ann@example.org"]
    assert detection["Subject"] == "[marsh] birds-crow on marsh:out_1"


def test_encryption_and_a_login(tmp_path: Path) -> None:
    pair = tls_for("127.0.0.1", folder=tmp_path / "tls")
    private(tmp_path / "password", "right")
    login = 'user = "tidzam"\npassword = {file = "password"}\nca_file = "tls/certificate.pem"\n'
    for encryption, options in (("starttls", {"starttls": pair.server}), ("tls", {"tls": pair.server})):
        with SmtpStandIn(wants_login=True, **options) as server:
            output = make(tmp_path, server, f'{login}encryption = "{encryption}"')
            output.deliver([alert()])
            output.close()
            assert (len(server.mails), server.were_encrypted, server.logins) == (
                1,
                [True],
                [("tidzam", "right")],
            )
            untrusting = make(tmp_path, server, f'encryption = "{encryption}"')
            with pytest.raises(OutputError, match="certificate"):
                untrusting.deliver([alert()])
            untrusting.close()
        assert len(server.mails) == 1


def test_without_starttls_nothing_is_sent(tmp_path: Path) -> None:
    private(tmp_path / "password", "right")
    with SmtpStandIn(wants_login=True) as server:
        login = 'user = "tidzam"\npassword = {file = "password"}\nencryption = "starttls"'
        output = make(tmp_path, server, login)
        with pytest.raises(OutputError, match="STARTTLS") as caught:
            output.deliver([alert()])
        output.close()
    assert type(caught.value) is OutputError
    assert (server.mails, server.logins) == ([], [])


@pytest.mark.parametrize(
    ("answers", "more", "raised"),
    [
        ({"MAIL": "550 you may not send"}, "", OutputRefusedError),
        ({"MAIL": "451 come later"}, "", OutputError),
        ({}, 'recipients = ["nobody@example.org"]', OutputRefusedError),
        ({"RCPT": "450 greylisted"}, "", OutputError),
        ({"DATA": "554 this is spam"}, "", OutputRefusedError),
        ({"DATA": "452 no room"}, "", OutputError),
        ({"CONNECT": "554 no service"}, "", OutputError),
        ({"EHLO": "550 no", "HELO": "550 no"}, "", OutputError),
    ],
)
def test_what_an_answer_means(
    tmp_path: Path, answers: dict[str, str], more: str, raised: type[OutputError]
) -> None:
    with SmtpStandIn() as server:
        server.answers = answers
        output = make(tmp_path, server, f'encryption = "none"\n{more}')
        with pytest.raises(OutputError) as caught:
            output.deliver([alert()])
        output.close()
    assert type(caught.value) is raised
    assert server.mails == []


def test_a_wrong_password_keeps_the_mail(tmp_path: Path) -> None:
    private(tmp_path / "password", "wrong-one")
    with SmtpStandIn(wants_login=True) as server:
        login = 'user = "tidzam"\npassword = {file = "password"}\nencryption = "none"'
        output = make(tmp_path, server, login)
        with pytest.raises(OutputError, match="535") as caught:
            output.deliver([alert()])
        output.close()
    assert type(caught.value) is OutputError
    assert "wrong-one" not in str(caught.value)


def test_who_is_known_gets_it_though_another_is_not(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        recipients = 'encryption = "none"\nrecipients = ["nobody@example.org", "ann@example.org"]'
        output = make(tmp_path, server, recipients)
        assert "ann@example.org" in output.try_out(message_to_try(NOON))
        output.close()
    assert server.recipients == [["ann@example.org"]]


THREE = 'encryption = "none"\nrecipients = ["ann@example.org", "later@example.org", "nobody@example.org"]'


def test_who_is_put_off_gets_it_later_and_nobody_gets_it_twice(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        output = make(tmp_path, server, THREE)
        server.answers = {"later@example.org": "450 greylisted"}
        for _ in range(2):
            with pytest.raises(OutputError, match=r"later@example\.org.* 450 greylisted") as caught:
                output.deliver([alert()])
            assert type(caught.value) is OutputError
        server.answers = {}
        assert output.deliver([alert()]) == 1
        assert output.deliver([alert("another")]) == 1
        output.close()
    everybody = ["ann@example.org", "later@example.org"]
    assert server.recipients == [["ann@example.org"], ["later@example.org"], everybody]


def test_who_is_refused_after_others_have_it_is_left_out(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        output = make(tmp_path, server, THREE)
        server.answers = {"later@example.org": "450 greylisted"}
        with pytest.raises(OutputError, match="450"):
            output.deliver([alert()])
        server.answers = {"later@example.org": "550 no"}
        assert output.deliver([alert()]) == 1
        output.close()
    assert server.recipients == [["ann@example.org"]]


def test_one_who_is_put_off_for_an_hour_holds_nobody_up_any_longer(tmp_path: Path) -> None:
    now_s = [0.0]
    with SmtpStandIn() as server:
        text = f'host = "127.0.0.1"\nport = {server.port}\nsender = "tidzam@example.org"\n{THREE}'
        found = specification(tmp_path, f'name = "mail"\nkind = "email"\n{text}')
        assert isinstance(found, EmailSpecification)
        output = Email(found, Reach(found), monotonic=lambda: now_s[0])
        server.answers = {"later@example.org": "452 mailbox full"}
        for now_s[0] in (0.0, 3599.0):
            with pytest.raises(OutputError, match="452"):
                output.deliver([alert()])
        now_s[0] = 3600.0
        assert output.deliver([alert()]) == 1
        output.close()
    assert server.recipients == [["ann@example.org"]]


def test_a_mail_that_nobody_takes_may_be_tried_again_after_it_was_refused(tmp_path: Path) -> None:
    with SmtpStandIn() as server:
        output = make(tmp_path, server, 'encryption = "none"\nrecipients = ["a@b.org", "nobody@b.org"]')
        server.answers = {"a@b.org": "450 greylisted"}
        with pytest.raises(OutputError) as put_off:
            output.deliver([alert()])
        assert type(put_off.value) is OutputError
        server.answers = {"a@b.org": "550 no"}
        with pytest.raises(OutputRefusedError):
            output.deliver([alert()])
        server.answers = {}
        assert output.deliver([alert()]) == 1  # ./tidzam outputs retry
        output.close()
    assert server.recipients == [["a@b.org"]]


def test_a_wait_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SmtpStandIn.__new__(SmtpStandIn)
        server.port = silent.getsockname()[1]
        output = make(tmp_path, server)
        timer = threading.Timer(0.2, output.reach.cancel.cancel)
        timer.start()

        def deliver() -> None:
            with pytest.raises(OutputError):
                output.deliver([alert()])

        assert seconds(deliver) < 1.5
        timer.join()
        output.close()
