"""Search terms are the same for every way to write the same words."""

from hypothesis import given
from hypothesis import strategies as st

from causeway.language import fold, terms


def test_traditional_and_simplified_text_have_the_same_terms() -> None:
    assert terms("中國科學院的電腦") == terms("中国科学院的电脑")


def test_chinese_gives_characters_bigrams_and_long_words() -> None:
    assert terms("科学院") == ["科", "学", "院", "科学", "学院", "科学院"]


def test_full_width_letters_and_case_do_not_matter() -> None:
    assert terms("ＣＯＶＩＤ－１９") == terms("covid-19") == ["covid", "19"]


def test_forms_of_an_english_word_share_a_stem() -> None:
    for first, second in [("studies", "study"), ("running", "run"), ("companies'", "company"), ("released", "release")]:
        assert terms(first) == terms(second)


def test_short_words_and_words_in_ss_keep_their_end() -> None:
    assert terms("is was gas class bus red sing") == ["is", "was", "gas", "class", "bus", "red", "sing"]


def test_accents_and_possessives_are_dropped() -> None:
    assert terms("Zoë’s café") == terms("zoe cafe")


def test_thousands_separators_are_dropped_and_years_kept() -> None:
    assert terms("1,234,567 in 2018") == ["1234567", "in", "2018"]


def test_a_language_that_is_not_english_keeps_its_endings() -> None:
    assert terms("maisons", "fr") == ["maisons"]


@given(st.text())
def test_terms_hold_no_white_space_and_are_folded(text: str) -> None:
    assert all(term and not any(c.isspace() for c in term) for term in terms(text))
    assert terms(text) == terms(text)


@given(st.text(alphabet="中國电腦abcＡ１ ，。", max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
