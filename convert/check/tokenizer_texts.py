"""Define texts on which two tokenizers must agree: scripts, blanks, numbers, code, and every byte a text can have."""

import sys

TEXTS = (
    "",
    " ",
    "  two blanks before,   three within, two after  ",
    "tab\tand\ttabs\t\t, line\nand\n\nlines\n\n\n, return\r\nand\r\r\n",
    "\n",
    " \n \n  \t\n",
    "no-break\u00a0space, thin\u2009space, ideographic\u3000space, zero\u200bwidth, joiner\u200d, mark\ufeff",
    "It's what I'd do, isn't it? WE'LL see; they'Ve 'tis rock'n'roll",
    "0 1 12 123 1234 12345 3.14159 -1e-10 1,000,000 \u0661\u0662\u0663 \u2168 \u00bd \u00b2",
    "CamelCase snake_case kebab-case SHOUTING a.b.c@d.org https://example.org/a?b=c#d",
    "for (int i = 0; i < n; ++i) {\n\t\tx[i] = y[i] ** 2;  // done\n}\n",
    "!!! ??? ... --- ((( ))) \u2014 \u2026 \u201cquoted\u201d \u2018so\u2019 \u20ac\u00a3\u00a5 \u00a9\u00ae\u2122",
    "\u00dcberraschung, na\u00efve caf\u00e9, se\u00f1or, \u0141\u00f3d\u017a, \u0130stanbul, stra\u00dfe, \ufb01n",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002 \u60c5\u7eea\uff1a\u559c\u60a6",
    "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c \u30ab\u30bf\u30ab\u30ca",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0 \u0531\u0580\u0587 \u12a0\u121b\u122d\u129b",
    "\U0001f642 \U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7 \u2764\ufe0f",
    "\U0001d53c \U00020000 \U00010348",
    "decomposed: e\u0301 u\u0308 \u1112\u1161\u11ab \u212b",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "EEG: alpha 8-13 Hz, 4.2 \u00b5V\u00b2; F3 F4 O1 O2",
)


def list_byte_texts() -> list[str]:
    """Return texts that together contain each of the 243 bytes of UTF-8; ASCII characters also as single texts."""
    ascii_alone = [chr(code) for code in range(0x80)]
    two_bytes = "".join(map(chr, range(0xA0, 0x800, 0x33)))
    leads = [*range(0x80, 0x800, 0x40), *range(0x800, 0xD800, 0x400), *range(0x10000, sys.maxunicode, 0x8001)]
    return [*ascii_alone, "".join(ascii_alone), two_bytes, *map(chr, leads), "".join(map(chr, range(0x80, 0x100)))]
