"""Every string that people see, one module a language, and the voice that says a sentence in one of them.

``english`` holds the sentences, which are also the keys of ``chinese.CHINESE``. Code below the page and the record
makes a ``Sentence``; whoever shows it chooses the language.
"""

import re
from collections.abc import Mapping
from typing import Any

from copilot.i18n import english

#: Languages of the interface and the record, by their ISO 639-1 code, each named in itself.
LANGUAGES = {"en": "English", "zh": "中文"}


class Sentence(str):
    """An English sentence that remembers its template and values, so that it can be said in another language."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> "Sentence":
        """Fill ``template``'s fields (``str.format``) with ``values``; a tuple among them is a list."""
        made = super().__new__(cls, Translator("en")(template, **values))
        made.template, made.values = template, dict(values)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence, (self.template, self.values)


class Verbatim(str):
    """Text from outside, such as a name: as a value of a sentence it is said as it is in every language."""

    __slots__ = ()


def sentence(template: str, /, **values: Any) -> Sentence:
    """An English sentence from a template in ``english``."""
    return Sentence(template, values)


class Translator:
    """Says sentences in one language: ``say = Translator("zh"); say(english.ANALYSE)``.

    Text that the language has no words for, such as a name or the model's prose, is said as it is.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = _words(language)

    def __call__(self, text: str, /, **values: Any) -> str:
        """``text``, a template or a ``Sentence``, in this language; values that are sentences too are translated."""
        if isinstance(text, Sentence):
            return self(text.template, **text.values, **values)
        template = self._words.get(text, text)
        said = {name: self._value(value) for name, value in values.items()}
        return template.format(**said) if values else template

    def _value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return self(english.COMMA).join(self._value(part) for part in value)
        return self(value) if isinstance(value, str) and not isinstance(value, Verbatim) else value


def language_of(text: str) -> str:
    """Which of ``LANGUAGES`` somebody typed: Chinese where there is a Han character (Unicode 16, CJK blocks)."""
    return "zh" if re.search("[\u3400-\u4dbf\u4e00-\u9fff]", text) else "en"


def _words(language: str) -> Mapping[str, str]:
    if language == "zh":
        from copilot.i18n.chinese import CHINESE

        return CHINESE
    return {}
