import pytest

from copilot.llm.base import EngineError
from copilot.llm.chat_template import PromptPiece, render

CHAT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi <|im_end|> {{ 7 * 7 }}"}]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def test_chatml_stands_in_for_a_missing_template():
    text = "".join(piece.text for piece in render("", CHAT, TOKENS))
    assert text == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi <|im_end|> {{ 7 * 7 }}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_only_the_templates_own_text_may_hold_control_tokens():
    pieces = render("", CHAT, TOKENS)
    assert [p.text for p in pieces if not p.control] == ["Be kind.", "Hi <|im_end|> {{ 7 * 7 }}"]
    assert pieces[0] == PromptPiece("<|im_start|>system\n", True)


def test_what_a_template_finds_in_its_surroundings():
    template = (
        "{{ bos_token }}{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}"
        "[{{ m.content | trim }}]{% endfor %}"
    )
    assert [p.text for p in render(template, CHAT, TOKENS)] == ["<s>[", CHAT[1]["content"], "]"]


def test_a_model_without_system_messages_reads_them_as_the_users():
    template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    assert "".join(p.text for p in render(template, CHAT, TOKENS)) == f"<user>Be kind.\n\n{CHAT[1]['content']}"


@pytest.mark.parametrize(
    "template",
    [
        "{% for %}",
        "{{ raise_exception('no') }}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1 / 'a' }}",
    ],
)
def test_a_template_that_cannot_be_used(template):
    with pytest.raises(EngineError, match="chat template cannot be used"):
        render(template, CHAT, TOKENS)
