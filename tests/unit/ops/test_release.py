"""A release's version and its section in the changelog."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ops import release
from ops.release import ReleaseError, dated, main, numbered

DAY = datetime.date(2027, 1, 31)
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- New.\n- Newer.\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n"


def test_what_is_unreleased_gets_a_version() -> None:
    """The lines move below the version and its day, older sections stay, and new lines have their place."""
    assert dated(CHANGELOG, "0.2.0", DAY) == (
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2027-01-31\n\n- New.\n- Newer.\n\n## 0.1.0 - 2026-01-01\n\n- Old.\n"
    )


def test_the_first_release() -> None:
    """A changelog without any version gets its first one."""
    first = dated("# C\n\n## Unreleased\n\n- A.\n", "1.0.0", DAY)
    assert first == "# C\n\n## Unreleased\n\n## 1.0.0 - 2027-01-31\n\n- A.\n"


@pytest.mark.parametrize(
    ("changelog", "version", "why"),
    [
        ("# Changelog\n", "0.2.0", "nothing"),
        ("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Old.\n", "0.2.0", "nothing"),
        (CHANGELOG, "0.1.0", "already"),
    ],
)
def test_changelogs_that_are_refused(changelog: str, version: str, why: str) -> None:
    """Neither an empty release nor the same one twice."""
    with pytest.raises(ReleaseError, match=why):
        dated(changelog, version, DAY)


def test_the_version_is_one_line() -> None:
    """Only the project's version changes, and only to what is one."""
    assert numbered('a = 1\nversion = "0.1.0"\n', "1.2.3rc1") == 'a = 1\nversion = "1.2.3rc1"\n'
    for project, version in (('version = "0.1.0"', "1.2"), ('version = "0.1.0"', ""), ("", "1.2.3")):
        with pytest.raises(ReleaseError):
            numbered(project, version)


def test_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both files change, or neither does."""
    monkeypatch.setattr(release, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('version = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n")
    assert main(["0.2.0"]) == 2
    assert "0.1.0" in (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    assert main(["0.2.0"]) == 0
    assert "0.2.0" in (tmp_path / "pyproject.toml").read_text()
    assert "## 0.2.0" in (tmp_path / "CHANGELOG.md").read_text()
