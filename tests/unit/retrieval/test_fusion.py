"""One order out of two lists, whatever one of them lacks."""

from dataclasses import replace

import numpy as np
import pytest

from causeway.retrieval import abroad, ask, rank, toward_other_language
from causeway.retrieval.fusion import FEATURES, GROUPS, centred_cosines, features, groups
from causeway.retrieval.models import Centres, FusionModel, shipped_fusion
from tests.support.retrieval_builders import DIMS, SmallBase, plain_model, unit_vector

ASKED = unit_vector(1.0)


@pytest.fixture
def base() -> SmallBase:
    small = SmallBase()
    small.add("near", "Steel is an alloy of iron.", unit_vector(1.0, 0.1))
    small.add("words", "The theatre opened in 1870 in Warsaw.", unit_vector(0.2, 1.0), "Warsaw")
    small.add("far", "Nothing of note.", unit_vector(0.0, 1.0))
    return small


def test_the_union_of_both_lists_has_both_scores(base: SmallBase) -> None:
    found = base.gathered(ask("theatre in Warsaw"), ASKED, [b"near"], [b"words"])
    assert [one.passage.chunk_id for one in found] == [b"near", b"words"]
    assert found[1].dense == pytest.approx(float(base.vectors[b"words"] @ ASKED))
    assert found[0].lexical == 0.0 < found[1].lexical <= 1.0
    assert found[1].context_coverage > 0 == found[0].context_coverage


def test_a_chunk_on_both_lists_is_one_candidate(base: SmallBase) -> None:
    assert len(base.gathered(ask("steel"), ASKED, [b"near"], [b"near"])) == 1


def test_a_chunk_that_is_gone_is_left_out(base: SmallBase) -> None:
    assert base.gathered(ask("steel"), ASKED, [b"gone"], []) == []
    assert len(base.gathered(ask("steel"), ASKED, [b"gone", b"near"], [])) == 1


def test_nothing_found_ranks_nothing() -> None:
    assert rank(ask("steel"), []) == []


def test_weights_decide_which_list_is_believed(base: SmallBase) -> None:
    assert base.ranked("theatre in Warsaw", ASKED, plain_model(dense=1.0))[0].chunk_id == b"near"
    assert base.ranked("theatre in Warsaw", ASKED, plain_model(lexical=1.0))[0].chunk_id == b"words"


def test_scores_fall_and_features_are_named(base: SmallBase) -> None:
    ranked = base.ranked("theatre in Warsaw", ASKED)
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert set(ranked[0].features) == set(FEATURES)


def test_features_are_finite_where_the_lexical_list_has_nothing_to_say(base: SmallBase) -> None:
    rows = features(base.gathered(ask("完全没有的词"), ASKED, [b"near", b"far"], []))
    assert np.isfinite(rows).all()
    assert not rows[:, FEATURES.index("lexical_rank")].any()


def test_each_pair_of_languages_has_weights_of_its_own(base: SmallBase) -> None:
    found = base.gathered(ask("steel"), ASKED, [b"near"], [])
    assert groups(ask("钢是什么"), found) == ["zh>en"]
    assert groups(ask("what is steel"), found) == ["en"]
    base.add("zh", "钢是铁的合金。", ASKED)
    chinese = base.gathered(ask("钢"), ASKED, [b"zh"], [])
    assert groups(ask("钢是什么"), chinese) == ["zh"]
    assert groups(ask("鋼是什麼"), chinese) == ["zh-Hant"]
    assert groups(ask("what is steel"), chinese) == ["en>zh"]


def test_dense_gaps_and_ranks_are_among_passages_of_one_language(base: SmallBase) -> None:
    base.add("zh", "钢是铁的合金。", unit_vector(1.0))
    base.add("zh far", "剧院。", unit_vector(0.5, 1.0))
    rows = features(base.gathered(ask("钢是什么"), ASKED, [b"zh", b"near", b"zh far", b"far"], []))
    dense, rank_of = rows[:, FEATURES.index("dense")], rows[:, FEATURES.index("dense_rank")]
    assert dense[0] == dense[1] == 0.0
    assert rank_of.tolist()[:3] == [1.0, 1.0, 0.5]


def two_languages() -> FusionModel:
    """Two languages a long way apart along the third axis."""
    zh, en = 3.0 * unit_vector(0.0, 0.0, 1.0), -3.0 * unit_vector(0.0, 0.0, 1.0)
    return replace(plain_model(dense=1.0), centres=Centres({"zh": zh, "en": en}, {"zh": zh, "en": en}))


def test_a_moved_question_finds_the_other_language_first_and_in_the_same_order() -> None:
    own, right, wrong = unit_vector(0.1, 0.0, 1.0), unit_vector(1.0, 0.0, -1.0), unit_vector(0.1, 1.0, -1.0)
    question = unit_vector(0.5, 0.0, 1.0)
    assert own @ question > right @ question
    moved = toward_other_language(ask("钢是什么"), question, two_languages())
    assert moved is not None
    assert right @ moved > wrong @ moved > own @ moved
    back = toward_other_language(ask("what is steel"), moved, two_languages())
    assert back is not None
    np.testing.assert_allclose(back, question, atol=1e-6)


def test_no_question_is_moved_by_the_centres_of_another_model() -> None:
    assert toward_other_language(ask("steel"), ASKED) is None


def test_what_is_not_chinese_counts_as_english(base: SmallBase) -> None:
    base.add("zh", "钢是铁的合金。", ASKED)
    base.add("number", "1870", ASKED)
    passages = [base.passages[name] for name in (b"near", b"zh", b"number")]
    assert abroad(ask("what is steel"), passages) == [b"zh"]
    assert abroad(ask("钢是什么"), passages) == [b"near", b"number"]


def test_centres_take_the_bias_of_a_hub_away() -> None:
    hub = unit_vector(0.0, 1.0)
    centres = Centres({"en": 0.8 * hub}, {"en": 0.8 * hub})
    question, typical, special = unit_vector(0.6, 1.0), unit_vector(0.0, 1.0), unit_vector(0.5, 0.4, 0.6)
    base = SmallBase()
    base.add("typical", "words", typical)
    base.add("special", "words", special)
    assert typical @ question > special @ question
    moved = centred_cosines(ask("x"), question, list(base.passages.values()), np.stack([typical, special]), centres)
    assert moved[0] < moved[1]


def test_centres_of_another_model_are_not_used(base: SmallBase) -> None:
    assert shipped_fusion().centres.dims != DIMS
    found = base.gathered(ask("steel"), ASKED, [b"near"], [])
    assert found[0].centred == pytest.approx(found[0].dense)


def test_the_shipped_model_fits_the_code() -> None:
    model = shipped_fusion()
    assert set(model.weights) == set(model.second) == set(GROUPS)
    assert all(len(row) == len(FEATURES) for row in model.weights.values())
