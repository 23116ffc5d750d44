"""INFO, hello messages, directives and the state file: texts read and written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from kvserver.config.quoting import split_arguments
from kvserver.doors import real_doors
from replication.sentinel.mind.hello import HelloMessage, parse_hello
from replication.sentinel.mind.node_info import parse_info
from replication.sentinel.options.directives import apply_directive, load, quote, render
from replication.sentinel.options.kinds import DirectiveError
from replication.sentinel.options.rewriting import rewrite
from replication.sentinel.shell.state_file import StateFile
from replication.sentinel.world.group import Kind
from replication.sentinel.world.standing import Standing
from replication.sentinel.world.world import World

ID = "0123456789abcdef0123456789abcdef01234567"


def test_info_of_a_primary() -> None:
    """Role, run id and replicas are found, in the new form and in the old one."""
    info = parse_info(
        f"# Server\r\nrun_id:{ID}\r\nrole:master\r\nslave0:ip=10.0.0.1,port=6380,state=online,offset=1,lag=0\r\n"
        "slave1:10.0.0.2,6381,online\r\nslave2:ip=,port=1\r\nslave_x:1\r\n".encode())
    assert info.role is Kind.PRIMARY
    assert info.run_id == ID
    assert info.replicas == [("10.0.0.1", 6380), ("10.0.0.2", 6381)]


def test_info_of_a_replica() -> None:
    """What a replica says of its link, offset and priority is found."""
    info = parse_info(b"role:slave\r\nmaster_host:h\r\nmaster_port:1\r\nmaster_link_status:down\r\n"
                      b"master_link_down_since_seconds:7\r\nslave_repl_offset:99\r\nslave_priority:0\r\n"
                      b"replica_announced:0\r\n")
    assert (info.role, info.follows_host, info.follows_port) == (Kind.REPLICA, "h", 1)
    assert (info.link_up, info.link_down_ms, info.offset) == (False, 7000, 99)
    assert (info.priority, info.announced) == (0, False)


@given(st.binary(max_size=300))
def test_info_never_fails(text: bytes) -> None:
    """No reply, however odd, stops the sentinel."""
    parse_info(b"slave0:" + text + b"\r\nmaster_port:" + text)


def test_hello_round_trip() -> None:
    """A hello message is eight fields, and is read back as it was written."""
    message = HelloMessage("127.0.0.1", 26379, ID, 3, "mymaster", "127.0.0.2", 6379, 2)
    assert message.encode() == f"127.0.0.1,26379,{ID},3,mymaster,127.0.0.2,6379,2".encode()
    assert parse_hello(message.encode()) == message


@pytest.mark.parametrize("payload", [
    "", "a,b,c", "h,0,{id},1,m,h,6379,0", "h,70000,{id},1,m,h,1,0", ",1,{id},1,m,h,1,0", "h,1,short,1,m,h,1,0",
    "h,1,{id},99999999999999999999,m,h,1,0", "h,1,{id},1,m,h,1,99999999999999999999",
])
def test_bad_hellos_are_dropped(payload: str) -> None:
    """What isn't a hello is dropped, and so is one whose epoch would leave none for us."""
    assert parse_hello(payload.format(id=ID).encode()) is None


STATEMENTS = """myid {id}
monitor mymaster 127.0.0.1 6379 2
down-after-milliseconds mymaster 5000
failover-timeout mymaster 60000
parallel-syncs mymaster 2
auth-pass mymaster "a b\\"c"
auth-user mymaster sentinel
config-epoch mymaster 4
leader-epoch mymaster 5
known-replica mymaster 127.0.0.1 6380
known-sentinel mymaster 127.0.0.1 26380 {peer}
rename-command mymaster CONFIG secret-config
refused-down-after-milliseconds mymaster 0
current-epoch 5
announce-ip 10.0.0.9
announce-port 7000
""".format(id=ID, peer="f" * 40)


def world_of(text: str) -> World:
    statements = [split_arguments(line) or [] for line in text.splitlines()]
    return load(statements, "?" * 40, now=1000)


def test_directives_round_trip() -> None:
    """What was configured and learned is written so that reading it gives the same world, in any order."""
    lines = render(world_of(STATEMENTS))
    assert 'sentinel auth-pass mymaster "a b\\"c"' in lines
    again = render(world_of("\n".join(line.removeprefix("sentinel ") for line in reversed(lines))))
    assert sorted(again) == sorted(lines)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\v\f\x00"), max_size=20))
def test_quoting_round_trip(text: str) -> None:
    """Any password survives the file."""
    if "\n" not in quote(text):
        assert split_arguments(quote(text)) == [text]


@pytest.mark.parametrize(("statement", "error"), [
    ("monitor mymaster 127.0.0.1 6379 2", "Duplicate master name."),
    ("monitor b 127.0.0.1 6379 0", "Quorum must be 1 or greater."),
    ("monitor b 127.0.0.1 70000 1", "Invalid port number."),
    ("monitor b 127.0.0.1 6379", "Unrecognized sentinel configuration statement."),
    ("down-after-milliseconds nosuch 1", "No such master with specified name."),
    ("down-after-milliseconds mymaster 0", "negative or zero time parameter."),
    ("down-after-milliseconds mymaster 1_0", "argument must be a number, not '1_0'."),
    ("myid short", "Malformed Sentinel id in myid option."),
    ("deny-scripts-reconfig maybe", "Please specify yes or no for the deny-scripts-reconfig option."),
    ("known-replica mymaster 127.0.0.1 6380", "Duplicate hostname and port for replica."),
    ("rename-command mymaster config x", "Same command renamed multiple times with rename-command."),
    ("notification-script mymaster /no", "Notification script seems non existing or non executable."),
    ("nosuch 1", "Unrecognized sentinel configuration statement."),
])
def test_bad_directives(statement: str, error: str) -> None:
    """A statement that can't be honoured is refused in Redis's words."""
    world = world_of(STATEMENTS)
    with pytest.raises(DirectiveError) as raised:
        apply_directive(world, statement.split(), 1000, lambda path: False)
    assert str(raised.value) == error


def test_rewriting_keeps_what_is_not_ours() -> None:
    """Comments, options and their order stay; statements take the lines of their kind."""
    text = "# mine\nport 26379\nsentinel monitor a 1.1.1.1 1 1\n\nsentinel known-slave a 1.1.1.2 1\ndir /tmp\n"
    new = rewrite(text, ["sentinel myid x", "sentinel monitor a 1.1.1.2 1 1", "sentinel known-replica a 1.1.1.1 1"])
    assert new == ("# mine\nport 26379\nsentinel monitor a 1.1.1.2 1 1\n\nsentinel known-replica a 1.1.1.1 1\n"
                   "dir /tmp\n\n# Generated by CONFIG REWRITE\nsentinel myid x\n")
    assert rewrite(new, ["sentinel myid x", "sentinel monitor a 1.1.1.2 1 1"]).count("sentinel") == 2


def test_state_file_replaces_or_keeps(tmp_path: Path) -> None:
    """A save replaces the statements on disk; one that can't be made leaves the old file as it was."""
    path = tmp_path / "sentinel.conf"
    path.write_text("port 1\n")
    state = StateFile(str(path), real_doors().disk)
    state.save(["sentinel myid x"])
    assert path.read_text().endswith("sentinel myid x\n")
    before = path.read_text()
    state.path = str(tmp_path / "missing" / "sentinel.conf")
    with pytest.raises(OSError, match="No such file"):
        state.save(["sentinel myid y"])
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


QUORUM = (f"# Quorum\r\nquorum_node_id:{ID}\r\nquorum_state:following\r\nquorum_member:1\r\nquorum_promised:7\r\n"
          f"quorum_last_epoch:6\r\nquorum_epoch:7\r\nquorum_members:{ID},{'a' * 40} {ID},{'b' * 40}\r\n")


def test_info_of_a_node_in_a_quorum() -> None:
    """Where a node stands in its quorum is found; who takes part in none has no standing."""
    standing = parse_info(f"role:slave\r\nmaster_repl_offset:99\r\n{QUORUM}".encode()).quorum
    assert standing == Standing(ID, "following", 7, 6, 7, 99, (frozenset((ID, "a" * 40)), frozenset((ID, "b" * 40))))
    assert standing.founded
    assert not standing.leads
    assert parse_info(b"role:master\r\nmaster_repl_offset:99\r\n").quorum is None


@pytest.mark.parametrize("line", [
    "quorum_node_id:me", "quorum_node_id:", "quorum_last_epoch:none", f"quorum_last_epoch:{2**63}",
    "quorum_last_epoch:-1",
])
def test_odd_standings_found_no_group(line: str) -> None:
    """A node whose id or epoch can't be one isn't taken for a group's."""
    standing = parse_info(f"{QUORUM}{line}\r\nquorum_members:x, y,z\r\n".encode()).quorum
    assert standing is not None
    assert not standing.founded
    assert standing.members == ()
