"""The pure parts of a change of the embedding model."""

from pathlib import Path

import pytest

from causeway.cli.errors import SiteFolderError
from causeway.cli.site_config import ModelConfig, SiteConfig
from causeway.cli.site_folder import SiteFolder
from causeway.cli.space_progress import Pace, Progress
from causeway.cli.space_record import (
    SpaceRecord,
    in_force,
    other_model_note,
    read_space,
    space_file,
    spent_vaults,
    to_come,
    vault_of,
    write_space,
)
from causeway.cli.space_text import space_lines
from causeway.proto.space import SpacePhase, SpaceStatus

OLD = SpaceRecord(model="small", precision="int8")
NEXT = SpaceRecord(model="small", precision="int8", next_model="large", next_precision="fp32")


def test_the_phase_follows_from_what_has_been_written() -> None:
    assert OLD.phase is SpacePhase.STEADY
    assert NEXT.phase is SpacePhase.EMBEDDING
    switched = NEXT.switched(left="small/int8@1")
    assert switched.phase is SpacePhase.MOVING
    assert (switched.model, switched.precision, switched.generation) == ("large", "fp32", 1)


def test_the_record_outlives_the_process_and_goes_before_the_configuration(tmp_path: Path) -> None:
    folder, config = SiteFolder(tmp_path), SiteConfig(model=ModelConfig(name="large", precision="fp32"))
    assert read_space(folder, config).model == "large", "a new place is of the model that it is configured with"
    write_space(folder, NEXT)
    assert read_space(folder, config) == NEXT
    assert in_force(config, NEXT).model.name == "small"
    assert to_come(config, NEXT).model.name == "large"
    assert "kb reembed start --model large --precision fp32" in other_model_note(config, NEXT)
    assert other_model_note(in_force(config, NEXT), NEXT) == ""


def test_a_record_that_can_not_be_read_is_never_overwritten(tmp_path: Path) -> None:
    space_file(SiteFolder(tmp_path)).write_text("{")
    with pytest.raises(SiteFolderError, match="can not be read") as refused:
        read_space(SiteFolder(tmp_path), SiteConfig())
    assert "restore it from a backup" in refused.value.mend


def test_only_the_vaults_of_other_generations_are_spent(tmp_path: Path) -> None:
    for name in ("1", "2", "space-1", "space-2", "lost+found"):
        (tmp_path / name).mkdir()
    assert vault_of(tmp_path, 0) == tmp_path
    assert {path.name for path in spent_vaults(tmp_path, 2)} == {"1", "2", "space-1"}
    assert {path.name for path in spent_vaults(tmp_path, 0)} == {"space-1", "space-2"}
    assert spent_vaults(tmp_path / "none", 1) == []


def test_the_time_to_go_is_by_the_pace_so_far() -> None:
    now = [100.0]
    pace = Pace(clock_s=lambda: now[0])
    assert pace.eta_s(Progress(chunks_total=100, chunks_done=10)) == -1.0
    now[0] = 110.0
    assert pace.eta_s(Progress(chunks_total=100, chunks_done=30)) == pytest.approx(35.0)
    assert pace.eta_s(Progress(chunks_total=100, chunks_done=100)) == 0.0


def test_a_status_shows_both_spaces_side_by_side_and_what_to_do_next() -> None:
    status = SpaceStatus(
        phase=SpacePhase.EMBEDDING,
        model="small",
        precision="int8",
        next_model="large",
        next_precision="fp32",
        chunks_total=2_000,
        chunks_done=500,
        documents_total=20,
        documents_done=4,
        lag=1_500,
        eta_s=90.0,
    )
    text = "\n".join(space_lines(status))
    assert "In force:  small int8" in text
    assert "To come:   large fp32" in text
    assert "500 of 2,000, 1,500 to go, about 1.5 min" in text
    assert "reembed switch" not in text
    assert space_lines(SpaceStatus(phase=SpacePhase.STEADY, model="small", precision="int8")) == [
        "In force:  small int8"
    ]
