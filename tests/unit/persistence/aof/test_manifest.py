"""The manifest of the append-only file: what is read, what is refused, what is written."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from persistence.aof import manifest
from persistence.aof.manifest import AofFile, Manifest, ManifestError, parse

NAMES = st.text(
    st.characters(min_codepoint=1, max_codepoint=0x24FF, exclude_characters="/\\"), min_size=1, max_size=60
).filter(lambda name: name not in (".", ".."))
SEQS = st.integers(1, 2**63 - 1)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    base = draw(st.none() | st.builds(AofFile, NAMES, SEQS, st.just("b")))
    history = tuple(draw(st.lists(st.builds(AofFile, NAMES, SEQS, st.just("h")), max_size=4)))
    seqs = sorted(draw(st.sets(SEQS, max_size=4)))
    incr = tuple(AofFile(draw(NAMES), seq, "i") for seq in seqs)
    return Manifest(base, history, incr, base.seq if base else 0, seqs[-1] if seqs else 0)


def test_the_format() -> None:
    """Base, history and increments, one a line, in the order in which Redis writes them."""
    text = (
        b"file appendonly.aof.2.base.rdb seq 2 type b\n"
        b"file appendonly.aof.1.base.rdb seq 1 type h\n"
        b"file appendonly.aof.4.incr.aof seq 4 type i\n"
    )
    read = parse(text)
    assert read.base == AofFile("appendonly.aof.2.base.rdb", 2, "b")
    assert read.history == (AofFile("appendonly.aof.1.base.rdb", 1, "h"),)
    assert read.incr == (AofFile("appendonly.aof.4.incr.aof", 4, "i"),)
    assert (read.base_seq, read.incr_seq) == (2, 4)
    assert read.encode() == text


@given(manifests().filter(lambda value: value != Manifest()))
def test_what_is_written_is_read(value: Manifest) -> None:
    """Reading is the inverse of writing, whatever the names."""
    assert parse(value.encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", manifest.EMPTY_FILE),
        (b"\n", manifest.BAD_FORMAT),
        (b"file a seq 1 type b\n\nfile b seq 1 type i\n", manifest.BAD_FORMAT),
        (b"filx a seq 1 type b\n", manifest.BAD_FORMAT),
        (b"file a type i\n", manifest.BAD_FORMAT),
        (b"file a seq 1 type i more\n", manifest.BAD_FORMAT),
        (b"file 'a seq 1 type i\n", manifest.BAD_FORMAT),
        (b"file '' seq 1 type i\n", manifest.BAD_FORMAT),
        (b"file a seq x type i\n", manifest.BAD_FORMAT),
        (b"file a seq 0 type i\n", manifest.BAD_FORMAT),
        (b"file a seq 1 type ''\n", manifest.BAD_FORMAT),
        (b"file a seq 1 type x\n", manifest.BAD_TYPE),
        (b"file a seq 1 type b\nfile b seq 2 type b\n", manifest.SECOND_BASE),
        (b"file a seq 2 type i\nfile b seq 1 type i\n", manifest.NOT_MONOTONIC),
        (b"file a seq 2 type i\nfile b seq 2 type i\n", manifest.NOT_MONOTONIC),
        (b"file a seq -1 type i\n", manifest.NOT_MONOTONIC),
        (b"file ../a seq 1 type b\n", manifest.NOT_A_NAME),
        (b"file a\\\\b seq 1 type b\n", manifest.NOT_A_NAME),
        (b'file "a\\\\b" seq 1 type b\n', manifest.NOT_A_NAME),
        (b"file a seq 1 type b", manifest.TOO_LONG),
        (b"file a seq 1 type b" + b" k v" * 300 + b"\n", manifest.TOO_LONG),
        (b"file a\0 seq 1 type b\n", manifest.TOO_LONG),
    ],
)
def test_what_is_refused(text: bytes, reason: str) -> None:
    """A manifest that Redis refuses is refused in its words."""
    with pytest.raises(ManifestError) as caught:
        parse(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "file"),
    [
        (b"# a comment\nfile a seq 1 type b\n", AofFile("a", 1, "b")),
        (b"file a seq 1 type b newkey newvalue\n", AofFile("a", 1, "b")),
        (b" \tTYPE base SEQ 07x FILE a \r\n", AofFile("a", 7, "b")),
        (b'file "a \\x62" seq 1 type b\n', AofFile("a b", 1, "b")),
        (b"file a file b seq 1 type b\n", AofFile("b", 1, "b")),
        (b"file a seq 99999999999999999999 type b\n", AofFile("a", 2**63 - 1, "b")),
        (b"file a seq 1 type b\n# no end", AofFile("a", 1, "b")),
    ],
)
def test_what_is_forgiven(text: bytes, file: AofFile) -> None:
    """What Redis passes over is passed over."""
    assert parse(text).base == file


def test_the_longest_line() -> None:
    """A line may have 1024 bytes with its end, and none more."""
    line = b"file a seq 1 type b k "
    assert parse(line + b"v" * (1023 - len(line)) + b"\n").base
    with pytest.raises(ManifestError, match="too long"):
        parse(line + b"v" * (1024 - len(line)) + b"\n")


def test_comments_alone() -> None:
    """Comments alone make a manifest without files."""
    assert parse(b"# nothing\n") == Manifest()


def test_an_error_says_where() -> None:
    """The report names the line, as Redis does."""
    with pytest.raises(ManifestError) as caught:
        parse(b"# first\n  file a seq 1 type x\n")
    assert caught.value.report() == [
        "*** FATAL AOF MANIFEST FILE ERROR ***",
        "Reading the manifest file, at line 2",
        ">>> 'file a seq 1 type x'",
        manifest.BAD_TYPE,
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("plain.aof", b"file plain.aof seq 1 type b\n"),
        ("with space", b'file "with space" seq 1 type b\n'),
        ('q"\t\x07\x08\x01é', b'file "q\\"\\t\\a\\b\\x01\\xc3\\xa9" seq 1 type b\n'),
        ("it's", b'file "it\'s" seq 1 type b\n'),
    ],
)
def test_quoting(name: str, line: bytes) -> None:
    """Names are quoted when they must be, and only then."""
    assert AofFile(name, 1, "b").encode() == line


def test_a_life() -> None:
    """First start, a rewrite, the end of history: each step is a new manifest that says so."""
    first = Manifest().with_new_base("a.aof", True).with_new_incr("a.aof")
    assert first.encode() == b"file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n"
    begun = first.with_new_incr("a.aof")
    assert [file.name for file in begun.files] == ["a.aof.1.base.rdb", "a.aof.1.incr.aof", "a.aof.2.incr.aof"]
    done = begun.with_new_base("a.aof", False).with_incr_as_history(keep_last=True)
    assert done.encode() == (
        b"file a.aof.2.base.aof seq 2 type b\n"
        b"file a.aof.1.incr.aof seq 1 type h\n"
        b"file a.aof.1.base.rdb seq 1 type h\n"
        b"file a.aof.2.incr.aof seq 2 type i\n"
    )
    clean = done.without_history()
    assert [file.name for file in clean.files] == ["a.aof.2.base.aof", "a.aof.2.incr.aof"]
    assert clean.with_incr_as_history(keep_last=False).files == clean.files[:1]


def test_no_name_twice() -> None:
    """A file that waits to be deleted never lends its name to a new one."""
    left = parse(b"file a.2.base.rdb seq 2 type h\nfile a.1.incr.aof seq 1 type h\nfile a.1.base.rdb seq 1 type b\n")
    assert left.with_new_incr("a").incr == (AofFile("a.2.incr.aof", 2, "i"),)
    assert left.with_new_base("a", True).base == AofFile("a.3.base.rdb", 3, "b")


def test_an_old_file_is_taken_in() -> None:
    """The single file of an older Redis becomes the base under its own name, and the first rewrite gives number 2."""
    old = manifest.upgraded("appendonly.aof")
    assert old.encode() == b"file appendonly.aof seq 1 type b\n"
    assert old.with_new_base("appendonly.aof", True).encode().startswith(b"file appendonly.aof.2.base.rdb seq 2 type b")


def test_names() -> None:
    """Names of files are Redis's."""
    assert manifest.manifest_name("a.aof") == "a.aof.manifest"
    assert manifest.temp_manifest_name("a.aof") == "temp-a.aof.manifest"
    assert manifest.temp_incr_name("a.aof") == "temp-a.aof.incr"
    assert manifest.temp_rewrite_name(7) == "temp-rewriteaof-bg-7.aof"


@given(st.binary(max_size=200) | st.text("file seqtyp1bhi\n\"'\\#", max_size=200).map(str.encode))
def test_anything(data: bytes) -> None:
    """Any bytes are a manifest that can be written again, or an error of ours."""
    try:
        read = parse(data)
    except ManifestError:
        return
    if read != Manifest():
        again = parse(read.encode())
        assert (again.base, again.history, again.incr) == (read.base, read.history, read.incr)
