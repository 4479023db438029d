"""What becomes of a generation that passed the gate, with a real one; the rules are in repository/test_labels.py."""

from __future__ import annotations

import shutil

import pytest

from serving.publishing import publish_generation
from serving.repository import ModelRepository
from tests.support.small_site import TrainedHome
from tidzam_platform.catalog.generations import get_generation
from tidzam_platform.catalog.tables import Generation
from tidzam_platform.classifiers.gate import Evidence, System, Verdict
from tidzam_platform.classifiers.gate.verdicts import keep_verdict
from tidzam_platform.errors import GateRefusedError, ModelRepositoryError
from tidzam_platform.home import Home


@pytest.fixture
def opened(trained_copy: TrainedHome) -> Home:
    return trained_copy.open(
        {
            "TIDZAM_MODEL_REPOSITORY__AFTER_GATE": "nothing",
            "TIDZAM_MODEL_SERVER__BATCHING__MAX_BATCH_SIZE": "17",
        }
    )


@pytest.fixture
def repository(opened: Home) -> ModelRepository:
    return ModelRepository(opened.settings.models_folder)


def test_the_first_generation_is_stable_signed_and_named_to_model_servers(opened, repository):
    (change,) = repository.history()
    assert (change.version, change.label, change.by) == (1, "stable", "gate")
    assert change.reason == "the first generation that passed the gate"
    repository.verify(1)
    assert 'key: "stable"' in (repository.serving_folder / "models.config").read_text()


def test_publishing_it_again_changes_no_label_and_brings_server_files_up_to_date(opened, repository):
    history = repository.history()
    assert publish_generation(opened, 1) == repository.path(1)
    assert repository.history() == history
    assert "value: 17" in (repository.serving_folder / "batching.config").read_text()


def test_a_generation_whose_label_was_still_to_be_given_gets_it(opened, repository):
    shutil.rmtree(repository.serving_folder)
    publish_generation(opened, 1)
    assert repository.labels() == {"stable": 1}


def test_what_was_retired_and_removed_is_not_exported_again(opened, repository):
    with repository.staging() as staged:
        shutil.copytree(repository.path(1), staged, dirs_exist_ok=True)
        repository.publish(2, staged)
    repository.promote(2, by="ada", reason="a test")
    repository.retire(1, by="ada", reason="wrong labels")
    assert publish_generation(opened, 1) == repository.path(1)
    assert repository.labels() == {"stable": 2}
    assert repository.collect_garbage(0) == [1]
    with pytest.raises(ModelRepositoryError, match=r"retired by ada \(wrong labels\)"):
        publish_generation(opened, 1)
    assert repository.versions() == [2]


@pytest.mark.parametrize("fault", ["revoked key", "flipped bit"])
def test_what_no_server_would_load_is_exported_again_and_keeps_its_label(opened, repository, fault):
    if fault == "revoked key":
        secrets = opened.settings.home / "secrets"
        shutil.rmtree(secrets / "trusted_model_keys")
        (secrets / "model_signing_key").unlink()
    else:
        (path,) = (repository.path(1) / "variables").glob("*.data-*")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    history = repository.history()
    with pytest.raises(ModelRepositoryError):
        repository.verify(1)
    assert publish_generation(opened, 1) == repository.path(1)
    repository.verify(1)
    assert repository.labels() == {"stable": 1}
    assert repository.history() == history


@pytest.mark.parametrize("verdict", ["of an older Tidzam", "beside none"])
def test_a_verdict_beside_another_than_the_stable_one_gives_no_label(
    trained_copy, opened, repository, verdict
):
    with repository.staging() as staged:
        shutil.copytree(repository.path(1), staged, dirs_exist_ok=True)
        repository.publish(2, staged)
    with opened.catalog.session() as session:
        first = session.get_one(Generation, 1)
        gate = {"passed": True, "reasons": []} | ({"incumbent": None} if verdict == "beside none" else {})
        columns = {name: getattr(first, name) for name in ("dataset_version", "evaluation", "made_at")}
        session.add(
            Generation(
                number=2,
                fingerprint="2" * 64,
                state="candidate",
                manifest={**first.manifest, "gate": gate},
                **columns,
            )
        )
    opened = trained_copy.open({"TIDZAM_MODEL_REPOSITORY__AFTER_GATE": "stable"})
    with pytest.raises(GateRefusedError, match="2 was judged beside none, and 1 is stable by now"):
        publish_generation(opened, 2)
    assert repository.labels() == {"stable": 1}
    judged = Evidence(System(2, ("frogs",), "single"), System(1, ("frogs",), "single"))
    keep_verdict(opened, Verdict(()), judged)
    assert get_generation(opened.catalog, 2).manifest["gate"]["incumbent"] == 1
    publish_generation(opened, 2)
    assert repository.labels() == {"stable": 2}
