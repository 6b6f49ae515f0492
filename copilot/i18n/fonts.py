"""Where letters come from that ordinary fonts lack (see ``chinese_font``)."""

from importlib.util import find_spec
from pathlib import Path


def chinese_font() -> Path:
    """Noto Sans SC (SIL Open Font License 1.1), which the package zhplot carries.

    The package itself is not imported, because it changes matplotlib's settings for the whole process.
    """
    package = find_spec("zhplot")
    assert package is not None  # requirements.txt names it
    assert package.origin is not None
    return Path(package.origin).parent / "fonts" / "NotoSansSC-Regular.ttf"
