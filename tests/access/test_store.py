"""Tokens: shown once, kept as hashes, good for their role until they end or are taken back, in every process."""

from __future__ import annotations

import json
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.access import Role, Token, TokenStore, make_initial_token
from tidzam_platform.access.secret_files import changing
from tidzam_platform.access.store import MAX_TOKENS, TOKENS_FILE
from tidzam_platform.access.tokens import read_tokens, write_tokens
from tidzam_platform.errors import SettingsError, TokenError

BEGIN = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)
times = st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
tokens_strategy = st.builds(
    Token,
    st.text("0123456789abcdef", min_size=8, max_size=8),
    st.text(min_size=1, max_size=64),
    st.sampled_from(Role),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    times,
    st.none() | times,
    st.none() | times,
)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> TokenStore:
    return TokenStore(tmp_path / "secrets", clock)


def test_roles_may_what_the_ones_before_them_may() -> None:
    for index, role in enumerate(Role):
        assert [role.covers(other) for other in Role] == [rank <= index for rank in range(len(Role))]


@pytest.mark.parametrize("role", Role)
def test_a_token_opens_with_its_role_and_its_name(store: TokenStore, role: Role) -> None:
    made, secret = store.create(role, "ann")
    found = store.verify(secret)
    assert (found.id, found.name, found.role) == (made.id, "ann", role)
    assert store.still_good(made.id).role is role


def test_only_hashes_are_kept_in_a_file_for_the_owner_alone(store: TokenStore, tmp_path: Path) -> None:
    _, secret = store.create(Role.LABEL)
    file = tmp_path / "secrets" / TOKENS_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for path in (tmp_path / "secrets").rglob("*"):
        assert not path.is_file() or secret not in path.read_text()
    assert len({store.create(Role.LISTEN)[1] for _ in range(20)}) == 20
    assert len(secret) >= 43


def test_what_is_no_token_opens_nothing(store: TokenStore) -> None:
    made, secret = store.create(Role.OWN)
    for wrong in (
        "",
        " ",
        secret[:-1],
        secret + "x",
        secret.upper(),
        made.id,
        made.sha256,
        "\udcff",
        "é" * 100,
    ):
        with pytest.raises(TokenError, match="not known"):
            store.verify(wrong)


@given(st.text())
def test_no_text_is_a_token(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    store = TokenStore(tmp_path_factory.getbasetemp() / "texts")
    with pytest.raises(TokenError):
        store.verify(text)


def test_a_token_ends_when_it_said(store: TokenStore, clock: Clock) -> None:
    made, secret = store.create(Role.LISTEN, expires=BEGIN + timedelta(hours=1))
    clock.now += timedelta(minutes=59)
    assert store.verify(secret).id == made.id
    clock.now += timedelta(minutes=1)
    for look in (lambda: store.verify(secret), lambda: store.still_good(made.id)):
        with pytest.raises(TokenError, match="expired"):
            look()
    with pytest.raises(TokenError, match="past"):
        store.create(Role.LISTEN, expires=clock.now)


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_revoked_token_opens_nothing_in_any_process(store: TokenStore, tmp_path: Path, by: str) -> None:
    other = TokenStore(tmp_path / "secrets")
    made, secret = store.create(Role.OPERATE, "ann")
    _, kept = store.create(Role.OPERATE, "ben")
    assert other.verify(secret).name == "ann"
    assert other.revoke(made.id if by == "id" else "ann").id == made.id
    with pytest.raises(TokenError, match="revoked"):
        store.verify(secret)
    with pytest.raises(TokenError, match="revoked"):
        store.still_good(made.id)
    assert store.verify(kept).name == "ben"
    with pytest.raises(TokenError, match="no token"):
        store.revoke("ann")


def test_the_initial_token_is_listed_and_not_revoked_here(store: TokenStore, tmp_path: Path) -> None:
    initial = store.verify(make_initial_token(tmp_path / "secrets"))
    assert (initial.id, initial.role) == ("initial", Role.OWN)
    assert store.list() == (initial,)
    with pytest.raises(TokenError, match="own_token"):
        store.revoke("initial")


def test_names_are_each_for_one_token(store: TokenStore) -> None:
    made, _ = store.create(Role.LISTEN, "ann")
    for name in ("ann", "initial"):
        with pytest.raises(TokenError, match="another name"):
            store.create(Role.LISTEN, name)
    for name in (" ", "x" * 65, "a\nb", "\x1b[2J", "\udcff"):
        with pytest.raises(TokenError, match="printable"):
            store.create(Role.LISTEN, name)
    assert [one.name for one in store.list()] == ["initial", made.name]


def test_their_number_is_bounded(store: TokenStore, tmp_path: Path) -> None:
    file = tmp_path / "secrets" / TOKENS_FILE
    many = [Token(f"{n:08x}", f"n{n}", Role.LISTEN, "0" * 64, BEGIN) for n in range(MAX_TOKENS)]
    file.write_bytes(write_tokens(many))
    file.chmod(0o600)
    with pytest.raises(TokenError, match="limit"):
        store.create(Role.LISTEN)


def test_use_is_noted_to_the_hour_and_written_at_most_once_in_it(
    store: TokenStore, clock: Clock, tmp_path: Path
) -> None:
    file = tmp_path / "secrets" / TOKENS_FILE
    _, secret = store.create(Role.LISTEN, "ann")
    assert store.list()[1].last_used is None
    store.verify(secret)
    assert store.list()[1].last_used == BEGIN.replace(minute=0)
    written = file.stat().st_mtime_ns, file.stat().st_ino
    clock.now += timedelta(minutes=29)
    store.verify(secret)
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == written
    clock.now += timedelta(minutes=1)
    store.verify(secret)
    assert store.list()[1].last_used == BEGIN.replace(hour=11, minute=0)


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    stores = [TokenStore(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: stores[n % 4].create(Role.LISTEN, f"n{n}"), range(24)))
    assert {token.id for token in stores[0].list()} == {"initial", *(token.id for token, _ in made)}
    assert all(stores[1].verify(secret).id == token.id for token, secret in made)


def test_who_changes_them_waits_for_who_does(tmp_path: Path) -> None:
    store, entered, done = TokenStore(tmp_path), threading.Event(), []

    def create() -> None:
        entered.set()
        store.create(Role.LISTEN, "later")
        done.append(1)

    with changing(tmp_path):
        thread = threading.Thread(target=create)
        thread.start()
        assert entered.wait(20)
        assert not done
        assert [token.name for token in store.list()] == ["initial"]
    thread.join(20)
    assert [token.name for token in store.list()] == ["initial", "later"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 5000, b'{"layout": 2, "tokens": []}', b'{"layout": 1, "tokens": [1]}',
     b'{"layout": 1, "tokens": [{"id": "1"}]}'],
)  # fmt: skip
def test_a_damaged_list_opens_nothing_and_says_which_file(
    store: TokenStore, tmp_path: Path, content: bytes
) -> None:
    _, secret = store.create(Role.OWN)
    file = tmp_path / "secrets" / TOKENS_FILE
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=TOKENS_FILE):
        store.verify(secret)
    with pytest.raises(SettingsError, match=TOKENS_FILE):
        store.create(Role.OWN)
    assert file.read_bytes() == content


def test_a_list_that_others_may_read_is_not_used(store: TokenStore, tmp_path: Path) -> None:
    _, secret = store.create(Role.OWN)
    (tmp_path / "secrets" / TOKENS_FILE).chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        TokenStore(tmp_path / "secrets").verify(secret)


@given(st.lists(tokens_strategy, max_size=5))
def test_the_file_says_all_of_them_again(tokens: list[Token]) -> None:
    written = write_tokens(tokens)
    assert read_tokens(written) == tuple(tokens)
    assert json.loads(written)["layout"] == 1


@given(
    st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(TokenError):
        read_tokens(data)
