"""./tidzam token: a token is shown once, listed without its secret, and taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from streamer.cli.token import token
from tidzam_platform.access import Role, TokenStore
from tidzam_platform.errors import TokenError
from tidzam_platform.settings import Settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(token, arguments)


@pytest.mark.parametrize("role", Role)
def test_a_token_is_made_and_works(home: Settings, role: Role) -> None:
    made = run("create", "--role", role.value, "--name", "ann")
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert "\n" not in secret
    known = TokenStore(home.home / "secrets").verify(secret)
    assert (known.name, known.role) == ("ann", role)
    assert secret not in run("list").output
    assert secret not in run("list", "--json").output


def test_programs_get_it_in_json(home: Settings) -> None:
    told = json.loads(run("create", "--role", "listen", "--json").stdout)
    assert sorted(told) == ["created", "expires", "id", "last_used", "name", "role", "token"]
    assert TokenStore(home.home / "secrets").verify(told["token"]).id == told["id"]


def test_the_list_tells_all_but_secrets(home: Settings) -> None:
    run("create", "--role", "label", "--name", "ann", "--expires", "30d")
    tokens = json.loads(run("list", "--json").stdout)["tokens"]
    assert [one["name"] for one in tokens] == ["initial", "ann"]
    table = run("list").stdout
    for one in tokens:
        assert one["name"] in table
        assert one["role"] in table


@pytest.mark.parametrize("by", ["id", "name"])
def test_it_is_revoked(home: Settings, by: str) -> None:
    told = json.loads(run("create", "--role", "own", "--name", "ann", "--json").stdout)
    revoked = run("revoke", told[by])
    assert (revoked.exit_code, "ann" in revoked.stdout) == (0, True)
    with pytest.raises(TokenError):
        TokenStore(home.home / "secrets").verify(told["token"])
    assert isinstance(run("revoke", told[by]).exception, TokenError)


@pytest.mark.parametrize(("text", "hours"), [("12h", 12), ("30d", 720), ("8w", 1344)])
def test_it_ends_after_a_time(home: Settings, text: str, hours: int) -> None:
    begun = datetime.now(UTC)
    told = json.loads(run("create", "--role", "listen", "--expires", text, "--json").stdout)
    ends = datetime.fromisoformat(told["expires"])
    assert abs(ends - begun - timedelta(hours=hours)) < timedelta(minutes=1)


def test_it_ends_at_a_moment(home: Settings) -> None:
    told = json.loads(
        run("create", "--role", "listen", "--expires", "2199-01-01T00:00:00+02:00", "--json").stdout
    )
    assert told["expires"] == "2198-12-31T22:00:00.000Z"


@pytest.mark.parametrize("text", ["0d", "soon", "2199-01-01", "-1d", "99999999d", "5m"])
def test_what_is_no_time_is_wrong_usage(home: Settings, text: str) -> None:
    refused = run("create", "--role", "listen", "--expires", text)
    assert refused.exit_code == 2
    assert "12h, 30d, 8w" in refused.output
    assert TokenStore(home.home / "secrets").list()[1:] == ()


def test_a_moment_in_the_past_makes_no_token(home: Settings) -> None:
    refused = run("create", "--role", "listen", "--expires", "2020-01-01T00:00:00Z")
    assert isinstance(refused.exception, TokenError)
    assert TokenStore(home.home / "secrets").list()[1:] == ()


def test_other_roles_are_wrong_usage(home: Settings) -> None:
    assert run("create", "--role", "root").exit_code == 2
    assert run("create").exit_code == 2


def test_a_time_that_is_over_at_once_is_told_as_such(home: Settings) -> None:
    refused = run("create", "--role", "listen", "--expires", "0d")
    assert refused.exit_code == 2
    assert "a whole number from 1 to 99999" in " ".join(refused.output.split())
