"""The reader of files that settings name: every fault is told with the file and its setting, and no value is repeated."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from paimon.settings import SettingsError
from paimon.settings.notification_file import read_notification_file
from paimon.settings.price_sources import read_price_sources
from paimon.settings.toml_file import FILE_BYTES_MAX

pytestmark = pytest.mark.unit

READERS: list[tuple[Callable[[Path], BaseModel], str, str]] = [
    (read_notification_file, "notifications", "PAIMON_NOTIFICATIONS__FILE"),
    (read_price_sources, "price sources", "PAIMON_PRICES__FILE"),
]


@pytest.mark.parametrize(("read", "title", "variable"), READERS)
def test_file_that_is_wrong_is_refused_by_name(
    read: Callable[[Path], BaseModel], title: str, variable: str, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(SettingsError) as raised:
        read(missing)
    assert str(raised.value) == f"the {title} {missing} cannot be read: No such file or directory ({variable})"
    large = b"#" * (FILE_BYTES_MAX + 1)
    for name, content, problem in (
        ("folder", None, "cannot be read: Is a directory"),
        ("large.toml", large, f"have more than {FILE_BYTES_MAX} bytes"),
        ("wide.toml", "é".encode() * (FILE_BYTES_MAX // 2 + 1), f"have more than {FILE_BYTES_MAX} bytes"),
        ("latin.toml", b"a = '\xe9'", "are no TOML"),
        ("unknown.toml", b"secret_word = 'hunter2'", "are wrong:\n  secret_word: "),
    ):
        path = tmp_path / name
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        with pytest.raises(SettingsError) as raised:
            read(path)
        assert f"the {title} {path} {problem}" in str(raised.value)
        assert "hunter2" not in str(raised.value)
    largest = tmp_path / "largest.toml"
    largest.write_bytes(large[1:])
    read(largest)
