"""Only a version that a trusted key signed, under its own number and with every file as it was, is verified."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from serving.manifest import MANIFEST_PATH, SIGNATURE_PATH, verify_manifest, write_manifest
from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import publish, start_python
from tests.support.parts import require_part
from tidzam_platform.errors import ModelRepositoryError

HERE = "model_signing_key"
TRUSTED = "trusted_model_keys"


@pytest.fixture
def secrets(home) -> Path:
    return home.home / "secrets"


def trusted(secrets: Path) -> list[Path]:
    return sorted((secrets / TRUSTED).glob("*.pem"))


def test_the_key_is_made_at_the_first_publish_and_only_its_owner_may_read_it(repository, secrets):
    assert not secrets.exists()
    publish(repository, 1)
    key = (secrets / HERE).read_bytes()
    assert (secrets / HERE).stat().st_mode & 0o777 == 0o600
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert len(trusted(secrets)) == 1
    publish(repository, 2)
    assert (secrets / HERE).read_bytes() == key
    assert len(trusted(secrets)) == 1
    repository.verify(1)
    repository.verify(2)


def test_the_signature_is_of_the_exact_bytes_of_the_manifest_as_openssl_checks_it(
    repository, secrets, tmp_path
):
    openssl = require_part("openssl")
    folder = publish(repository, 1)
    signature = tmp_path / "signature"
    signature.write_bytes(base64.b64decode(json.loads((folder / SIGNATURE_PATH).read_text())["signature"]))
    subprocess.run(
        [
            *(openssl, "pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", trusted(secrets)[0]),
            *("-in", folder / MANIFEST_PATH, "-sigfile", signature),
        ],
        check=True,
        capture_output=True,
    )


def test_a_version_without_a_signature_says_what_to_do(repository):
    folder = publish(repository, 1)
    (folder / SIGNATURE_PATH).unlink()
    with pytest.raises(ModelRepositoryError, match="is not signed: publish the generation again"):
        repository.verify(1)
    verify_manifest(folder)  # its files are what the manifest says all the same


def test_who_changes_a_file_and_its_manifest_alike_is_found_out(repository):
    folder = publish(repository, 1)
    (folder / "saved_model.pb").write_text("another graph")
    write_manifest(folder, 1)
    verify_manifest(folder)
    with pytest.raises(ModelRepositoryError, match="is not the one that was signed"):
        repository.verify(1)


def test_a_signed_version_under_another_number_is_found_out(repository):
    folder = publish(repository, 1)
    shutil.copytree(folder, folder.with_name("9"))
    with pytest.raises(ModelRepositoryError, match="was signed as version 1"):
        repository.verify(9)
    with pytest.raises(ModelRepositoryError, match="was signed as version 1"):
        repository.promote(9, by="eve", reason="it is newer")
    assert repository.labels() == {}


def test_a_version_of_another_home_is_trusted_once_its_public_key_is(repository, secrets, tmp_path):
    other = ModelRepository(tmp_path / "other" / "models")
    publish(repository, 1)
    shutil.copytree(publish(other, 2), repository.base_path / "2")
    with pytest.raises(ModelRepositoryError, match=rf"does not trust.*copy its public key into .*{TRUSTED}"):
        repository.verify(2)
    shutil.copy(trusted(tmp_path / "other" / "secrets")[0], secrets / TRUSTED / "the other site.pem")
    repository.verify(2)
    repository.verify(1)
    (secrets / TRUSTED / "the other site.pem").unlink()
    with pytest.raises(ModelRepositoryError, match="does not trust"):
        repository.verify(2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"algorithm": "ed25519", "key": "a", "signature": "not base64"}',
        '{"algorithm": "ed25519", "key": "a", "signature": 5}',
        '{"algorithm": "none", "key": "a", "signature": ""}',
        '{"algorithm": "ed25519", "key": "../../secrets/model_signing_key", "signature": ""}',
        "[" * 100_000,
    ],
)
def test_what_is_no_signature_is_an_error(repository, text):
    (publish(repository, 1) / SIGNATURE_PATH).write_text(text)
    with pytest.raises(ModelRepositoryError, match=r"signature|signed"):
        repository.verify(1)


def test_an_empty_signature_of_a_trusted_key_is_an_error(repository):
    path = publish(repository, 1) / SIGNATURE_PATH
    path.write_text(json.dumps({**json.loads(path.read_text()), "signature": ""}))
    with pytest.raises(ModelRepositoryError, match="is not the one that was signed"):
        repository.verify(1)


def test_files_that_hold_no_public_key_are_named_and_do_no_harm(repository, secrets):
    publish(repository, 1)
    (secrets / TRUSTED / "notes.pem").write_text("not a key")
    repository.verify(1)
    own = next(path for path in trusted(secrets) if path.name != "notes.pem")
    own.unlink()
    with pytest.raises(ModelRepositoryError, match=r"does not trust.*notes\.pem"):
        repository.verify(1)


def test_versions_of_a_key_that_was_taken_away_are_signed_anew_by_publishing_them_again(repository, secrets):
    for version in (1, 2):
        publish(repository, version)
    trusted(secrets)[0].unlink()
    (secrets / HERE).unlink()
    assert not repository.is_fit(1)
    publish(repository, 1)
    repository.verify(1)
    assert not repository.is_fit(2), "the old key is trusted no more"


def test_a_key_that_the_home_trusts_no_more_signs_nothing(repository, secrets):
    publish(repository, 1)
    trusted(secrets)[0].unlink()
    with pytest.raises(ModelRepositoryError, match="is no key that this home trusts"):
        publish(repository, 2)
    assert repository.versions() == [1]
    assert trusted(secrets) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda key: key.chmod(0o644), "others may read .*chmod 600"),
        (lambda key: key.write_text("not a key"), "holds no signing key"),
    ],
)
def test_a_private_key_that_cannot_be_used_is_an_error_without_its_content(
    repository, secrets, spoil, message
):
    publish(repository, 1)
    secret = (secrets / HERE).read_text().splitlines()[1]
    spoil(secrets / HERE)
    with pytest.raises(ModelRepositoryError, match=message) as caught:
        publish(repository, 2)
    assert secret not in str(caught.value)
    repository.verify(1)


_PUBLISH_ONE = """
with repository.staging() as staged:
    (staged / "saved_model.pb").write_text("graph")
    repository.publish(int(sys.argv[2]), staged)
"""


def test_processes_that_publish_first_at_the_same_time_agree_on_one_key(home, repository, secrets):
    processes = [start_python(_PUBLISH_ONE, home.home, version) for version in (1, 2, 3)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(trusted(secrets)) == 1
    for version in (1, 2, 3):
        repository.verify(version)
    assert not any((secrets / ".partial").iterdir())
