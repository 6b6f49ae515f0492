"""The form's checks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.person import MAX_TEXT, Person, PersonError
from copilot.text import normalise_line


@pytest.mark.parametrize(("age", "written"), [(None, "not given"), (0, "0"), (89, "89"), (90, "90+"), (120, "90+")])
def test_ages_above_89_are_never_written_down(age, written):
    assert Person("female", age).age_text == written


@pytest.mark.parametrize("age", [-1, 121, 10**9])
def test_impossible_ages_are_refused_in_a_sentence(age):
    with pytest.raises(PersonError, match=rf"Age is {age}; give whole years from 0 to 120\."):
        Person("female", age)


@pytest.mark.parametrize("gender", ["", "Female", "f", "<script>"])
def test_unknown_genders_are_told_the_known_ones(gender):
    with pytest.raises(PersonError, match="choose one of: female, male, other, unspecified"):
        Person(gender, 20)


@pytest.mark.parametrize("name", ["appearance", "complaint", "history"])
def test_long_texts_are_refused_and_say_which(name):
    Person(**{name: "x" * MAX_TEXT})
    with pytest.raises(PersonError, match=f"{name.capitalize()} has {MAX_TEXT + 1} characters; at most {MAX_TEXT}"):
        Person(**{name: "x" * (MAX_TEXT + 1)})


def test_texts_become_one_line():
    assert Person(appearance=" tired\r\n\tand\x00pale\x1b[31m ").appearance == "tired and pale [31m"


def test_direction_overrides_and_lone_surrogates_do_not_get_through():
    assert normalise_line("a\u202eb\ud800c") == "a b c"


def test_writing_of_any_language_gets_through():
    assert normalise_line("心情不错, žluťoučký, سعيد") == "心情不错, žluťoučký, سعيد"


@settings(deadline=None)
@given(st.text())
def test_tidy_text_is_printable_and_stays_as_it_is(text):
    once = normalise_line(text)
    assert once.isprintable()
    assert once == once.strip()
    assert normalise_line(once) == once
