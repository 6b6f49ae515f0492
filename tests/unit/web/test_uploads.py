from pathlib import Path

import pytest

from copilot.web import uploads


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "", "..", "a\0b", "x" * 300])
def test_names_from_the_browser_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "in" / "safe.edf"
    path.parent.mkdir()
    path.write_bytes(b"data")
    files = uploads.write_attachments(
        uploads.read_uploads([{"path": str(path), "orig_name": name}], 1), tmp_path / "out"
    )
    assert [file.name for file in files] == ["safe.edf"]
