"""Mark messages in English where they are raised, and translate them where they are shown.

``N_("Row {row} has no file.", row=3)`` marks an English text for translation and fills in its values; the result is a
string in English that a ``Translator`` can still translate. ``NP_("role", "other")`` does so in a context, for an
English word that has several translations. Nothing else is ever translated: a name, a file's label and a model's
prose stay as they are. The translations are in ``LANGUAGE.po`` (GNU gettext's format).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from copilot.text import is_chinese

#: Languages of the interface and the record, by their ISO 639-1 code, each named in itself.
LANGUAGES = {"en": "English", "zh": "中文"}

Catalogue = Mapping[tuple[str, str], str]
"""(context, English text) -> translation."""


class Message(str):
    """An English text with its template, its values and its context, so that it can be translated later.

    As a string it is English with its values filled in; a tuple among them becomes a list.
    """

    __slots__ = ("context", "template", "values")
    template: str
    values: dict[str, Any]
    context: str

    def __new__(cls, template: str, values: Mapping[str, Any], context: str = "") -> "Message":
        """Make a message; ``template`` has fields as of ``str.format``."""
        new = super().__new__(cls, _fill(template, values, Translator("en")))
        new.template, new.values, new.context = template, dict(values), context
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.template, self.values, self.context)


def N_(template: str, /, **values: Any) -> Message:
    """Mark an English text for translation, and fill in its values; a message with fields can be filled again."""
    if isinstance(template, Message):
        return Message(template.template, {**template.values, **values}, template.context)
    return Message(template, values)


def NP_(context: str, template: str, /, **values: Any) -> Message:
    """Mark an English text for translation in a context, which distinguishes it in the catalogue and is never shown."""
    return Message(template, values, context)


class Translator:
    """Translate messages into one language: ``translate = Translator("zh"); translate(N_("Analyse"))``."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, text: str, /, **values: Any) -> str:
        """Return a message in this language, with its values and further ones; any other text as it is.

        Values that are messages are translated too; a tuple of values becomes a list.
        """
        if not isinstance(text, Message):
            return _fill(text, values, self)
        if self.language == "en":
            return _fill(text.template, {**text.values, **values}, self)
        template = read_catalogue(self.language).get((text.context, text.template), text.template)
        filled = _fill(template, {**text.values, **values}, self)
        return filled.replace(" %", "%") if self.language == "zh" else filled

    def join(self, sentences: Iterable[str]) -> str:
        """Return sentences one after the other, translated; Chinese has no spaces between them."""
        return ("" if self.language == "zh" else " ").join(map(self, sentences))


def _fill(template: str, values: Mapping[str, Any], translate: Translator) -> str:
    """Fill the fields of a template; a template without values keeps its braces."""
    if not values:
        return template
    return template.format(**{key: _translate_value(value, translate) for key, value in values.items()})


def _translate_value(value: Any, translate: Translator) -> Any:
    """Return a value of a message as it is filled in: translated if it is a message, a list if it is a tuple."""
    if isinstance(value, tuple):
        return translate(COMMA).join(str(_translate_value(part, translate)) for part in value)
    return translate(value) if isinstance(value, Message) else value


COMMA = N_(", ")
"""The separator of the parts of a list."""


@cache
def read_catalogue(language: str) -> Catalogue:
    """Read the translations of a language."""
    from babel.messages.pofile import read_po

    with Path(__file__).with_name(f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    return {
        (message.context or "", str(message.id)): str(message.string)
        for message in catalogue
        if message.id and message.string
    }


def detect_language(text: str) -> str:
    """Return the language of a typed text: Chinese if it contains a Chinese character."""
    return "zh" if is_chinese(text) else "en"
