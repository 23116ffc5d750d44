"""Brings the suite onto this machine: Debian's redis source package, through the machine's own apt sources.

Source packages are usually switched off. We leave the machine's configuration as it is and give apt, for two
calls, another one: the entries of the machine's release, turned into source entries, in a temporary folder.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

CACHE = Path.home() / ".cache" / "understudy"
APT = Path("/etc/apt")
NEEDED = {"apt-get": "apt", "dpkg-source": "dpkg-dev", "tclsh": "tcl", "redis-cli": "redis-tools"}


class SourceError(Exception):
    """The suite can't be had here; the text says what is missing."""


def suite() -> Path:
    """The unpacked source package, downloaded on first use.

    Raises:
        SourceError: a program is missing, or apt doesn't find the package.
    """
    missing = [package for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        raise SourceError(f"the conformance suite needs the Debian packages: {', '.join(missing)}")
    CACHE.mkdir(parents=True, exist_ok=True)
    found = _unpacked()
    if found is None:
        _download()
        found = _unpacked()
    if found is None:
        raise SourceError("the redis source package has no test suite")
    return found


def certificates(suite_folder: Path) -> Path:
    """A folder of the certificates that the suite's own script makes; made on first use.

    Raises:
        SourceError: a program is missing, or the script fails.
    """
    missing = [] if shutil.which("openssl") else ["openssl"]
    probe = subprocess.run(["tclsh"], input="package require tls", capture_output=True, text=True, check=False)
    if probe.stderr:
        missing.append("tcl-tls")
    if missing:
        raise SourceError(f"the suite speaks TLS with the Debian packages: {', '.join(missing)}")
    folder = CACHE / "tls"
    if not folder.exists():
        with tempfile.TemporaryDirectory(prefix="tls-", dir=CACHE) as name:
            work = Path(name)
            (work / "tests").mkdir()
            script = suite_folder / "utils" / "gen-test-certs.sh"
            done = subprocess.run(["bash", str(script)], cwd=work, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise SourceError(f"{script.name} failed:\n{done.stderr.strip()}")
            (work / "tests" / "tls").rename(folder)
    return folder


def _unpacked() -> Path | None:
    return next((path.parent for path in sorted(CACHE.glob("redis-*/runtest"))), None)


def _download() -> None:
    with tempfile.TemporaryDirectory(prefix="understudy-apt-") as name:
        folder = Path(name)
        (folder / "lists" / "partial").mkdir(parents=True)
        entries = folder / "sources"
        entries.mkdir()
        codename = _codename(Path("/etc/os-release").read_text())
        _write_entries(entries, codename)
        options = [
            f"Dir::Etc::sourceparts={entries}",
            "Dir::Etc::sourcelist=/dev/null",
            f"Dir::State::lists={folder / 'lists'}",
            "APT::Sandbox::User=root",
        ]
        _apt(options, "update", folder)
        _apt(options, "source", CACHE, "redis")


def _apt(options: Iterable[str], action: str, folder: Path, *words: str) -> None:
    arguments = [word for option in options for word in ("-o", option)]
    done = subprocess.run(
        ["apt-get", "-q", *arguments, action, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SourceError(f"apt-get {action} failed:\n{done.stderr.strip()}")


def _codename(os_release: str) -> str:
    for line in os_release.splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise SourceError("/etc/os-release names no release: the suite is taken from Debian's source package")


def _write_entries(folder: Path, codename: str) -> None:
    lists = [path for path in (APT / "sources.list", *APT.glob("sources.list.d/*.list")) if path.exists()]
    lines = [line for path in lists for line in source_lines(path.read_text(), codename)]
    (folder / "machine.list").write_text("\n".join(lines) + "\n")
    stanzas = [path.read_text() for path in APT.glob("sources.list.d/*.sources")]
    blocks = [block for text in stanzas for block in source_stanzas(text, codename)]
    (folder / "machine.sources").write_text("\n\n".join(blocks) + "\n")
    if not lines and not blocks:
        raise SourceError(f"no apt source on this machine is of the release {codename}")


def source_lines(text: str, codename: str) -> list[str]:
    """The one-line entries of a release (``deb [options] place suite ...``), as source entries."""
    found = []
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(" ")
        if kind == "deb" and any(of_release(word, codename) for word in rest.split()):
            found.append(f"deb-src {rest.strip()}")
    return found


def source_stanzas(text: str, codename: str) -> list[str]:
    """The deb822 entries of a release, as source entries."""
    found = []
    for stanza in text.split("\n\n"):
        lines = [line for line in stanza.splitlines() if line and not line.startswith("#")]
        suites = [word for line in lines if line.startswith("Suites:") for word in line.split()[1:]]
        if any(of_release(word, codename) for word in suites):
            kept = [line for line in lines if not line.startswith(("Types:", "Enabled:"))]
            found.append("\n".join(["Types: deb-src", *kept]))
    return found


def of_release(suite_name: str, codename: str) -> bool:
    """Whether a suite is the release or one of its companions (updates, security)."""
    return suite_name.partition("/")[0] in (codename, f"{codename}-updates", f"{codename}-security")
