"""``python -m ops.release 1.2.3``: the tree gets a version, and the changelog its section. Nothing is uploaded.

The version stands in pyproject.toml alone. What is under "Unreleased" becomes the version's section, dated today.
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNRELEASED = "## Unreleased\n"
_NUMBER = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_LINE = re.compile(r'^version = "(.*)"$', re.MULTILINE)


class ReleaseError(Exception):
    """The tree can't be released so; the text says why."""


def numbered(project: str, version: str) -> str:
    """The text of pyproject.toml with another version.

    Raises:
        ReleaseError: the version isn't one, or the file has none.
    """
    if not _NUMBER.fullmatch(version):
        raise ReleaseError(f"not a version: {version!r} (VERSION=1.2.3, or 1.2.3rc1)")
    changed, count = _LINE.subn(f'version = "{version}"', project)
    if count != 1:
        raise ReleaseError("pyproject.toml has no one line with the version")
    return changed


def dated(changelog: str, version: str, today: datetime.date) -> str:
    """The changelog with what was unreleased under the version and the day; what is unreleased is then empty.

    Raises:
        ReleaseError: nothing is unreleased, or the version is there already.
    """
    before, found, after = changelog.partition(UNRELEASED)
    news, _, older = after.partition("\n## ")
    if not found or not news.strip():
        raise ReleaseError("the changelog has nothing that is unreleased")
    if re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        raise ReleaseError(f"the changelog has {version} already")
    sections = [f"{before}{UNRELEASED}", f"## {version} - {today}\n\n{news.strip()}\n"]
    return "\n".join(sections) + (f"\n## {older}" if older else "")


def main(argv: list[str]) -> int:
    """Change both files; the exit code is 2 when they can't be."""
    project, changelog = ROOT / "pyproject.toml", ROOT / "CHANGELOG.md"
    try:
        version = argv[0] if argv else ""
        texts = numbered(project.read_text(), version), dated(changelog.read_text(), version, datetime.date.today())
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 2
    project.write_text(texts[0])
    changelog.write_text(texts[1])
    print(f"now: git commit -am 'Release {version}' && git tag v{version}, and publish what is in dist/")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
