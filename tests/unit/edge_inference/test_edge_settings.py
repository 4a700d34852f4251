"""The command reads its settings from the environment, and refuses what it does not understand."""

from pathlib import Path

import pytest

from causeway.edge_inference.app import key_of
from causeway.edge_inference.errors import KeyMissingError
from causeway.edge_inference.keys import parse_key, read_key_file
from causeway.edge_inference.main import main
from causeway.edge_inference.settings import Settings, from_environment
from causeway.edge_inference.surroundings import kb_limits_of, scheduling_rule
from causeway.edge_inference.vault_folder import locked
from causeway.proto.documents import Residency
from causeway.runtime import BadSettingError
from causeway.semantic_cache import shipped_limits, written_kb_limits
from tests.support.knowledge_builders import KEK, document, open_vault

ENVIRONMENT = {"CAUSEWAY_SITE": "plant-7", "EDGE_INFERENCE_VAULT_DIR": "/somewhere/vault"}


def test_defaults_are_those_of_an_edge_site() -> None:
    settings = from_environment(ENVIRONMENT)
    assert (settings.site, settings.vault_dir, settings.index) == ("plant-7", Path("/somewhere/vault"), "chroma")
    assert settings.generator == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EDGE_INFERENCE_VAULT_DIRECTORY", "x"),
        ("EDGE_INFERENCE_INDEX", "faiss"),
        ("EDGE_INFERENCE_ASK_THREADS", "0"),
        ("EDGE_INFERENCE_QUESTION_RESIDENCY", "secret"),
        ("EDGE_INFERENCE_SWEEP_INTERVAL_S", "often"),
    ],
)
def test_an_unknown_setting_or_value_is_refused_by_name(variable: str, value: str) -> None:
    with pytest.raises(BadSettingError, match="EDGE_INFERENCE_"):
        from_environment(ENVIRONMENT | {variable: value})


def test_the_label_of_a_sites_questions_reaches_the_scheduler() -> None:
    assert scheduling_rule(from_environment(ENVIRONMENT)).question_residency is Residency.PUBLIC
    strict = from_environment(ENVIRONMENT | {"EDGE_INFERENCE_QUESTION_RESIDENCY": "internal"})
    assert scheduling_rule(strict).question_residency is Residency.INTERNAL


def test_limits_of_the_cache_are_read_by_kb_and_a_bad_file_refuses_to_start(tmp_path: Path) -> None:
    path, limits = tmp_path / "limits.json", shipped_limits()
    settings = from_environment(ENVIRONMENT | {"EDGE_INFERENCE_CACHE_LIMITS_FILE": str(path)})
    assert kb_limits_of(from_environment(ENVIRONMENT), "any") == {}
    with pytest.raises(BadSettingError, match="EDGE_INFERENCE_CACHE_LIMITS_FILE .*No such file"):
        kb_limits_of(settings, f"{limits.space}int8@1")
    path.write_bytes(written_kb_limits({"handbook": limits}))
    assert kb_limits_of(settings, f"{limits.space}int8@1") == {"handbook": limits}
    with pytest.raises(BadSettingError, match="measured with 'multilingual-e5-small/', and the encoder is another/"):
        kb_limits_of(settings, "another/int8@1")


def test_the_key_is_not_shown(tmp_path: Path) -> None:
    settings = Settings(site="s", vault_dir=tmp_path, vault_key=KEK.hex())
    assert KEK.hex() not in repr(settings)
    assert key_of(settings) == KEK
    with pytest.raises(KeyMissingError, match="EDGE_INFERENCE_VAULT_KEY_FILE"):
        key_of(Settings(site="s", vault_dir=tmp_path))


def test_create_key_makes_a_key_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "vault.key"
    main(["create-key", str(path)])
    key = read_key_file(path)
    with pytest.raises(SystemExit) as refused:
        main(["create-key", str(path)])
    assert refused.value.code == 78
    assert "never overwritten" in capsys.readouterr().err
    assert read_key_file(path) == key


def test_rotate_key_changes_the_key_and_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = open_vault(tmp_path / "vault")
    vault.apply(document("a", ["one"], number=1, seq=1))
    vault.close()
    monkeypatch.setenv("CAUSEWAY_SITE", "s")
    monkeypatch.setenv("EDGE_INFERENCE_VAULT_DIR", str(tmp_path / "vault"))
    monkeypatch.setenv("EDGE_INFERENCE_VAULT_KEY", KEK.hex())
    main(["create-key", str(tmp_path / "new.key")])

    with locked(tmp_path / "vault"), pytest.raises(SystemExit) as busy:
        main(["rotate-key", "--new-key-file", str(tmp_path / "new.key")])
    assert busy.value.code == 78
    assert "stop that process first" in capsys.readouterr().err

    main(["rotate-key", "--data", "--now"])
    main(["rotate-key", "--new-key-file", str(tmp_path / "new.key")])
    assert "EDGE_INFERENCE_VAULT_KEY_FILE" in capsys.readouterr().out
    with pytest.raises(SystemExit) as wrong:
        main(["rotate-key", "--data"])
    assert wrong.value.code == 78
    new = parse_key((tmp_path / "new.key").read_text(), "new.key")
    open_vault(tmp_path / "vault", kek=new).verify()
