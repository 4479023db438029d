"""Webhooks: what is POSTed, its signature, and what each answer means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.analyzer.outputs.kinds import load_outputs, make_output
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.secret import Secret
from streamer.analyzer.outputs.secret_url import read_url
from tests.streamer.analyzer.outputs.made import (
    ids,
    message,
    messages,
    plug_in,
    private,
    seconds,
    specification,
)
from tests.support.certificates import tls_for
from tests.support.http_stand_in import Mishap, Reply
from tests.support.webhook_receiver import WebhookReceiver
from tidzam_platform.errors import OutputError, OutputFaultError, OutputRefusedError

DOCS = Path(__file__).resolve().parents[4] / "docs" / "outputs.md"
Make = Callable[..., Output]


@pytest.fixture
def webhook(tmp_path: Path, receiver: WebhookReceiver) -> Iterator[Make]:
    """The plug-in that tells ``receiver``, with more lines of TOML."""
    made: list[Output] = []

    def make(more: str = "") -> Output:
        text = (
            f'name = "ops"\nkind = "webhook"\nurl = "{receiver.url("/hook?key=1")}"\ndeadline_s = 1.5\n{more}'
        )
        made.append(plug_in(tmp_path, text))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_detection_is_posted_as_json(webhook: Make, receiver: WebhookReceiver) -> None:
    assert webhook().deliver([message()]) == 1
    (request,) = receiver.requests
    assert (request.method, request.target) == ("POST", "/hook?key=1")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == message().id
    assert "webhook-signature" not in request.headers
    assert json.loads(request.body) == {
        "id": message().id,
        "kind": "detection",
        "made_at": "2026-04-01T12:00:00.000Z",
        "generation": 4,
        "channel": "marsh:out_1",
        "start": "2026-04-01T12:00:00.000Z",
        "end": "2026-04-01T12:00:01.000Z",
        "class_path": "birds-crow",
        "score": 0.875,
    }


def _documented_check() -> Callable[..., Any]:
    """The example of docs/outputs.md, as it stands there."""
    (code,) = re.findall(r"```python\n(import base64.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(DOCS), "exec"), names)  # noqa: S102 - our own documentation
    check: Callable[..., Any] = names["checked"]
    return check


@pytest.mark.parametrize(
    "secret", ["a long and secret text", "whsec_" + base64.b64encode(b"k" * 32).decode()]
)
def test_the_signature_is_checked_as_documented(
    webhook: Make, receiver: WebhookReceiver, tmp_path: Path, secret: str
) -> None:
    check = _documented_check()
    private(tmp_path / "key", secret)
    webhook('secret = {file = "key"}').deliver([message()])
    (request,) = receiver.requests
    assert check(request.headers, request.body, secret) == json.loads(request.body)
    for headers, body, key in (
        (request.headers, request.body + b" ", secret),
        (request.headers, request.body, "whsec_" + base64.b64encode(b"another").decode()),
        (request.headers | {"webhook-id": "another"}, request.body, secret),
        (request.headers | {"webhook-timestamp": str(int(time.time()) - 3600)}, request.body, secret),
    ):
        with pytest.raises(ValueError, match=r"signature|old"):
            check(headers, body, key)


def test_a_signature_is_that_of_the_standard(
    webhook: Make, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    private(tmp_path / "key", "whsec_" + base64.b64encode(b"k" * 24).decode())
    webhook('secret = {file = "key"}').deliver([message()])
    (request,) = receiver.requests
    at = request.headers["webhook-timestamp"]
    signed = f"{message().id}.{at}.".encode() + request.body
    expected = base64.b64encode(hmac.digest(b"k" * 24, signed, hashlib.sha256)).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(at) - time.time()) < 60


def test_a_token_is_sent_and_may_be_replaced(
    webhook: Make, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = webhook('token = {env = "OPS_TOKEN"}')
    with pytest.raises(OutputError, match="OPS_TOKEN"):
        output.deliver([message()])
    for token in ("first", "second"):
        monkeypatch.setenv("OPS_TOKEN", token)
        output.deliver([message()])
        assert receiver.requests[-1].headers["authorization"] == f"Bearer {token}"


def test_a_url_may_be_a_secret_and_is_shown_by_its_origin_alone(
    tmp_path: Path, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = receiver.url("")
    private(tmp_path / "url", receiver.url("/services/hunter2?key=hunter3"))
    text = 'name = "ops"\nkind = "webhook"\ndeadline_s = 1.5\nurl = '
    found = specification(tmp_path, f'{text}{{file = "url"}}')
    assert found.target == origin
    monkeypatch.setenv("OPS_URL", receiver.url("/services/hunter2"))
    assert specification(tmp_path, f'{text}{{env = "OPS_URL"}}').target == origin
    output = plug_in(tmp_path, f'{text}{{file = "url"}}')
    output.deliver([message()])
    assert receiver.requests[-1].target == "/services/hunter2?key=hunter3"
    said = [repr(found), repr(output), repr(read_url(Secret(file=tmp_path / "url")))]
    for status in (400, 404, 500, 503, 301):
        receiver.mishaps.append(Reply(status))
        with pytest.raises(OutputError, match=f"{origin} answers {status}") as caught:
            output.deliver([message()])
        said.append(str(caught.value))
    private(tmp_path / "token", "böse")
    wrong = plug_in(tmp_path, f'{text}{{file = "url"}}\ntoken = {{file = "token"}}')
    with pytest.raises(OutputError, match="not ASCII") as caught:
        wrong.deliver([message()])
    said.append(str(caught.value))
    wrong.close()
    for unusable in ("hunter2", "ftp://x/hunter2", "http://ann:hunter2@x/", "http://x/hunter2\\"):
        private(tmp_path / "url", unusable)
        with pytest.raises(OutputError, match="shall hold a http or https URL") as caught:
            output.deliver([message()])
        said.append(str(caught.value))
        assert "cannot be read now" in found.target
        said.append(found.target)
    output.close()
    assert "hunter" not in " ".join(said)


def test_several_are_told_at_once_where_that_is_wanted(webhook: Make, receiver: WebhookReceiver) -> None:
    output = webhook("batch = 10")
    assert output.batch == 10
    assert output.deliver(messages(10)) == 10
    assert output.deliver(messages(1, first=10)) == 1
    assert receiver.ids == ids(messages(11))
    assert [len(json.loads(one.body)["messages"]) for one in receiver.requests] == [10, 1]


def test_one_connection_is_kept_open(webhook: Make, receiver: WebhookReceiver) -> None:
    output = webhook()
    for one in messages(5):
        output.deliver([one])
    assert (receiver.connections, receiver.ids) == (1, ids(messages(5)))


def test_a_connection_that_the_server_ended_is_made_anew(webhook: Make, receiver: WebhookReceiver) -> None:
    output = webhook()
    output.deliver([message(0)])
    receiver.down()
    receiver.up()
    output.deliver([message(1)])
    assert receiver.ids == ids(messages(2))


@pytest.mark.parametrize(
    ("mishap", "raised", "said"),
    [
        (Reply(400), OutputRefusedError, "400"),
        (Reply(422), OutputRefusedError, "422"),
        (Reply(413), OutputRefusedError, "413"),
        (Reply(401), OutputError, "user, password or token"),
        (Reply(404), OutputError, "mend the URL"),
        (Reply(301, headers={"Location": "http://127.0.0.1:1/"}), OutputError, "redirects are not followed"),
        (Reply(500), OutputFaultError, "500"),
        (Reply(503), OutputError, "503"),
        ("cut before", OutputError, "ended the connection"),
        ("hang", OutputError, "in time"),
    ],
)
def test_what_an_answer_means(
    webhook: Make, receiver: WebhookReceiver, mishap: Mishap, raised: type[OutputError], said: str
) -> None:
    output = webhook()
    receiver.mishaps.append(mishap)
    with pytest.raises(OutputError, match=said) as caught:
        output.deliver([message()])
    assert type(caught.value) is raised
    assert "key=1" not in str(caught.value)
    assert not receiver.messages


def test_a_busy_server_says_when_to_come_again(webhook: Make, receiver: WebhookReceiver) -> None:
    receiver.mishaps.append(Reply(429, headers={"Retry-After": "7"}))
    with pytest.raises(OutputError) as caught:
        webhook().deliver([message()])
    assert caught.value.retry_after_s == 7


def test_what_stands_in_an_answer_of_success_does_not_matter(
    webhook: Make, receiver: WebhookReceiver
) -> None:
    output = webhook()
    receiver.mishaps += [
        Reply(200, b"x" * 100, {"Content-Encoding": "gzip"}),
        Reply(202, b"x" * (5 << 20)),
        Reply(200, b"not JSON"),
    ]
    for one in messages(3):
        assert output.deliver([one]) == 1


def test_nobody_there(webhook: Make, receiver: WebhookReceiver) -> None:
    receiver.down()
    with pytest.raises(OutputError, match="not reachable"):
        webhook().deliver([message()])


def test_an_address_that_is_not_public_wants_leave(tmp_path: Path, receiver: WebhookReceiver) -> None:
    text = f'name = "ops"\nkind = "webhook"\nurl = "{receiver.url()}"'
    file = tmp_path / "outputs.toml"
    for more, allowed in (
        ("", False),
        ('allowed_hosts = ["127.0.0.1"]', True),
        ("private_addresses = true", True),
    ):
        file.write_text(f"[[output]]\n{text}\n{more}\n")
        output = make_output(load_outputs(file)[0], identity="a")
        if allowed:
            output.deliver([message()])
        else:
            with pytest.raises(
                OutputError, match="loopback: private_addresses = true or allowed_hosts of the output"
            ):
                output.deliver([message()])
            assert receiver.connections == 0
        output.close()


def test_a_name_is_looked_up_once_and_every_address_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "outputs.toml"
    file.write_text('[[output]]\nname = "ops"\nkind = "webhook"\nurl = "http://ops.example.org/"\n')
    asked: list[str] = []

    def resolver(host: str) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", "169.254.169.254"]

    output = make_output(load_outputs(file)[0], identity="a", resolver=resolver)
    with pytest.raises(OutputError, match=r"169\.254\.169\.254, which is link-local"):
        output.deliver([message()])
    assert asked == ["ops.example.org"]
    output.close()


def test_tls_is_checked_against_the_given_certificates(tmp_path: Path) -> None:
    pair = tls_for("127.0.0.1", folder=tmp_path / "tls")
    with WebhookReceiver() as receiver:
        receiver.down()
        receiver.tls = pair.server
        receiver.up()
        url = receiver.url("/").replace("http:", "https:")
        text = f'name = "ops"\nkind = "webhook"\nurl = "{url}"\n'
        trusting = plug_in(tmp_path, f'{text}ca_file = "tls/certificate.pem"')
        trusting.deliver([message()])
        trusting.close()
        assert receiver.ids == [message().id]
        for more, said in (
            ("", "no certificate that is trusted"),
            ('ca_file = "tls/gone.pem"', "cannot be read"),
        ):
            output = plug_in(tmp_path, text + more)
            with pytest.raises(OutputError, match=said):
                output.deliver([message()])
            output.close()


def test_a_wait_ends_when_it_is_cancelled(webhook: Make, receiver: WebhookReceiver) -> None:
    output = webhook()
    receiver.mishaps.append("hang")
    timer = threading.Timer(0.2, output.reach.cancel.cancel)
    timer.start()

    def deliver() -> None:
        with pytest.raises(OutputError, match="cancelled"):
            output.deliver([message()])

    assert seconds(deliver) < 1.2
    timer.join()
