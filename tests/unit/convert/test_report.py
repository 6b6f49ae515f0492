"""Tables, numbers and templates are written in one way."""

import pytest
from jinja2 import UndefinedError

from convert.report import align_columns, format_table, format_value, in_millions, render_template


def test_a_markdown_table_has_a_rule_below_its_headings():
    assert format_table(["a", "bb"], [["1", "2"]]) == "| a | bb |\n| --- | --- |\n| 1 | 2 |"
    assert format_table(["a"], [["1"]], numbers=True).splitlines()[1] == "| ---: |"


def test_a_padded_table_can_be_read_as_plain_text():
    lines = format_table(["a", "bb"], [["long", ""]], padded=True).splitlines()
    assert lines == ["| a    | bb |", "| ---- | -- |", "| long |    |"]


def test_columns_are_as_wide_as_their_widest_cell_and_a_short_row_ends_in_a_text():
    rows = [["a", "b", "c"], ["10", "2", "3"], ["4", "a reason that is longer than any column"]]
    assert align_columns(rows) == [" a  b  c", "10  2  3", " 4  a reason that is longer than any column"]
    assert align_columns(rows[:2], right=False) == ["a   b  c", "10  2  3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (12345, "12,345"),
        (0.123456, "0.1235"),
        (12345.6, "12,346"),
        (None, ""),
        ([1, "a|b"], "1, a\\|b"),
        ({"answer_tokens": 2048, "text": "x\ny"}, "answer tokens 2,048; text x y"),
    ],
)
def test_a_value_is_formatted_for_people(value, text):
    assert format_value(value) == text


def test_bytes_and_parameters_are_given_in_millions():
    assert in_millions(2_860_000) == "2.9"


def test_a_template_keeps_markup_and_refuses_a_missing_fact(tmp_path):
    path = tmp_path / "card.md.j2"
    path.write_text("{% for word in words %}\n- {{ word }}\n{% endfor %}\nEnd\n")
    assert render_template(path, words=["<b>", "{{ x }}"]) == "- <b>\n- {{ x }}\nEnd\n"
    with pytest.raises(UndefinedError):
        render_template(path)
