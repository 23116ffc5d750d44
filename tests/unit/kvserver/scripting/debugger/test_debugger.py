"""The debugger without a network: its wire, and that no session and no script gets out of hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kvserver.engine import commands
from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort, Session
from kvserver.errors import CommandError
from kvserver.scripting import runtime
from kvserver.scripting.busy import Busy
from kvserver.scripting.debugger.words import human, parse_words
from kvserver.scripting.eval_commands import HANDLERS
from kvserver.scripting.host import Host, host_of
from kvserver.wire.resp import encode_request

END = b"+<endsession>\r\n"


class Clock:
    """Time that passes by as much as is said at each look."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.step_s = 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class Person:
    """Sends what was written down before, and keeps what comes back; hangs up when nothing is left."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.seen: list[bytes] = []
        self.asked: Callable[[], None] = lambda: None

    def send(self, data: bytes) -> None:
        self.seen.append(data)

    def receive(self) -> bytes:
        self.asked()
        return self.lines.pop(0) if self.lines else b""

    def close(self) -> None:
        self.seen.append(b"closed")


class NoServant:
    def serve(self, besides: Session) -> None:
        """Nobody waits."""

    def finish(self) -> None:
        """Nothing was taken."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that take all they can get take less, and so less time."""
    monkeypatch.setattr(runtime, "LIMIT", 64 << 20)
    monkeypatch.setattr(runtime, "COLLECT_AT", 8 << 20)


@pytest.fixture
def engine(clock: Clock) -> Engine:
    engine = Engine(16, {})
    rows = build_rows({**commands.all_handlers(), **HANDLERS})
    engine.rows.update(rows)
    engine.rows.update({name.lower(): row for name, row in rows.items()})
    host = engine.services.scripting = Host(engine, clock)
    host.api.on_tick = Busy(host, NoServant()).tick
    return engine


@pytest.fixture
def host(engine: Engine) -> Host:
    return host_of(engine.open_session(NoPort()))


Talk = Callable[..., tuple[bytes, bytes]]


@pytest.fixture
def talk(engine: Engine, host: Host) -> Iterator[Talk]:
    def talk(
        source: str, *lines: str | bytes, prepare: Callable[[Person], None] = lambda person: None
    ) -> tuple[bytes, bytes]:
        """Debug a script; return what was shown, and the reply."""
        words = [encode_request(line.encode().split(b" ")) if isinstance(line, str) else line for line in lines]
        person = Person(words)
        prepare(person)
        host.open_channel = lambda c: person
        client = engine.open_session(NoPort())
        assert engine.execute(client, [b"SCRIPT", b"DEBUG", b"SYNC"]) == b"+OK\r\n"
        reply = engine.execute(client, [b"EVAL", source.encode(), b"0"])
        assert reply is not None
        assert person.seen[-1] == b"closed"
        assert person.seen[-2].endswith(END)
        return b"".join(person.seen), reply

    yield talk
    # Whatever happened: the next script runs without a debugger, and can still be stopped.
    client = engine.open_session(NoPort())
    assert engine.execute(client, [b"EVAL", b"local a = 1\nreturn a + redis.call('DBSIZE')", b"0"]) == b":1\r\n"
    assert host.api.trace is None


@pytest.mark.parametrize(
    ("data", "words", "rest"),
    [
        (b"", None, b""),
        (b"*1\r\n$4\r\nste", None, b"*1\r\n$4\r\nste"),
        (b"*1\r\n$4\r\nstep\r\n", [b"step"], b""),
        (b"noise*2\r\n$1\r\nb\r\n$2\r\n\0\n\r\n*1", [b"b", b"\0\n"], b"*1"),
    ],
)
def test_words(data: bytes, words: list[bytes] | None, rest: bytes) -> None:
    """A command is an array of strings; what isn't whole waits, and what is behind it stays."""
    assert parse_words(data) == (words, rest)


@pytest.mark.parametrize(
    "data",
    [
        b"step\r\n", b"*0\r\n", b"*1025\r\n", b"*-1\r\n", b"*1_0\r\n", b"*1\r\nstep", b"*1\r\n$0\r\n\r\n",
        b"*1\r\n$1025\r\n", b"*1\r\n$4\r\nsteppp", b"*1\r\n$99999999",
        b"*" + b"9" * 50, b"*1\r\n$1\r\n" + bytes(1 << 20),
    ],
)  # fmt: skip
def test_broken_words(data: bytes) -> None:
    """Whatever isn't the protocol ends the session, and nothing grows without bound."""
    with pytest.raises(CommandError):
        parse_words(data)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b":1\r\n", b"1"),
        (b"$-1\r\n", b"NULL"),
        (b"*-1\r\n", b"NULL"),
        (b"$3\r\na\"\n\r\n", b'"a\\"\\n"'),
        (b"+OK\r\n", b'"+OK"'),
        (b"*2\r\n:1\r\n*1\r\n$1\r\na\r\n", b'[1,["a"]]'),
        (b"%1\r\n$1\r\na\r\n#t\r\n", b'{"a" => #true}'),
        (b"~2\r\n#f\r\n_\r\n", b"~(#false,(null))"),
        (b",1.5\r\n", b"(double) 1.5"),
        (b"=5\r\ntxt:a\r\n", b'"txt:a"'),
        (b"*0\r\n", b"[]"),
    ],
)  # fmt: skip
def test_replies_for_people(reply: bytes, text: bytes) -> None:
    """Replies of each type are shown as Redis shows them."""
    assert human(reply, 100) == text


def test_long_replies_are_not_worked_out() -> None:
    """Of a reply of a million elements only what can be shown is looked at."""
    assert len(human(b"*1000000\r\n" + b":7\r\n" * 1000000, 50)) < 200


def test_a_person_who_hangs_up(talk: Talk) -> None:
    """The script runs to its end when nobody is there any more."""
    shown, reply = talk("local a = 1\na = a + 1\nreturn a", "b 3")
    assert b"* Stopped at 1, stop reason = step over" in shown
    assert reply == b":2\r\n"


def test_an_aborted_script_catches_nothing(talk: Talk) -> None:
    """No pcall and no coroutine of the script keeps it going once the person has ended it."""
    source = """local function again() while true do pcall(function() local x = 1 end) end end
    while true do
      pcall(coroutine.wrap(again))
      xpcall(again, again)
    end"""
    _, reply = talk(source, "s", "s", "s", "a")
    assert reply.startswith(b"-ERR script aborted for user request")


def test_an_endless_script_comes_back(talk: Talk, clock: Clock) -> None:
    """A script that runs on for too long stops by itself, and fails when nobody is there."""
    clock.step_s = 0.5
    shown, reply = talk("local a = 0\nwhile true do a = a + 1 end", "c")
    assert b"stop reason = timeout reached, infinite loop?" in shown
    assert reply.startswith(b"-ERR timeout during Lua debugging with client closing connection")


@pytest.mark.parametrize(
    "code",
    [
        "while true do end",
        "while true do pcall(error) end",
        "xpcall(function() while true do end end, function() while true do end end)",
        "(function() local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end end)()",
        "error(setmetatable({}, {__tostring=function() while true do end end}))",
        "setmetatable({}, {__index=function() while true do end end}).x",
        "(function() local t = {} while true do t[#t+1] = string.rep('x', 1e6) .. #t end end)()",
        "redis.call('EVAL', 'return 1', 0)",
        "loadstring(string.char(27)..'Lua')()",
        "KEYS.x.y",
        "coroutine.yield(1)",
        "debug.getlocal(1, 1)",
    ],
)
def test_typed_code_is_bounded(talk: Talk, clock: Clock, code: str) -> None:
    """What is typed in ends, whatever it is, and the session goes on behind it."""
    clock.step_s = 0.1
    shown, reply = talk("local a = 1\nreturn a", "eval " + code, "e 40+2", "c")
    assert b"<retval> 42" in shown
    assert reply == b":1\r\n"


def test_values_are_bounded(talk: Talk) -> None:
    """A table that holds itself a thousand times, and a long string, are shown up to a limit."""
    source = "local t = {} for i = 1, 1000 do t[i] = t end\nlocal s = string.rep('x', 1e7)\nreturn 1"
    shown, reply = talk(source, "b 3", "c", "p t", "p s", "maxlen 0", "p t", "p", "c")
    assert len(shown) < 8 << 20
    assert reply == b":1\r\n"


def test_only_the_script_is_seen(talk: Talk) -> None:
    """Variables of the server's own Lua code aren't shown, by whatever name."""
    names = ("native", "fn", "sandbox", "proto", "called", "hook")
    shown, _ = talk("local mine = 1\nreturn mine", "s", *(f"p {name}" for name in names), "e native", "c")
    assert shown.count(b"No such variable.") == len(names)
    assert b"attempted to access nonexistent global variable 'native'" in shown


def test_a_script_killed_from_elsewhere(talk: Talk, host: Host) -> None:
    """SCRIPT KILL ends the script while it waits for the person."""

    def kill() -> None:
        assert host.api.running is not None
        host.api.running.stop = 1

    def prepare(person: Person) -> None:
        person.asked = kill

    _, reply = talk("local a = 1\nreturn a", "s", prepare=prepare)
    assert reply.startswith(b"-ERR Script killed by user")


def test_a_broken_protocol_ends_the_script(talk: Talk) -> None:
    """Words that aren't the protocol make the script fail, not the server."""
    _, reply = talk("return 1", b"GET / HTTP/1.1\r\n\r\n")
    assert reply.startswith(b"-ERR protocol error")


def test_modes(engine: Engine, host: Host) -> None:
    """The mode is the client's own, NO ends it, EVALSHA is refused in it, and a wrong one is an error."""
    client = engine.open_session(NoPort())
    assert engine.execute(client, [b"SCRIPT", b"DEBUG", b"maybe"]) == b"-ERR Use SCRIPT DEBUG YES/SYNC/NO\r\n"
    assert engine.execute(client, [b"SCRIPT", b"DEBUG", b"sync"]) == b"+OK\r\n"
    refused = engine.execute(client, [b"EVALSHA", b"0" * 40, b"0"])
    assert refused == b"-ERR Please use EVAL instead of EVALSHA for debugging\r\n"
    assert engine.execute(client, [b"SCRIPT", b"DEBUG", b"NO"]) == b"+OK\r\n"
    assert engine.execute(client, [b"EVAL", b"return redis.breakpoint()", b"0"]) == b"$-1\r\n"


def test_a_copy_is_refused_and_nothing_runs(engine: Engine, host: Host) -> None:
    """After SCRIPT DEBUG YES a script isn't run on the data itself: the person believes to work on a copy."""
    client = engine.open_session(NoPort())
    person = Person([])
    host.open_channel = lambda c: person
    reply = engine.execute(client, [b"SCRIPT", b"DEBUG", b"YES"])
    assert reply is not None
    assert b"SCRIPT DEBUG SYNC" in reply
    reply = engine.execute(client, [b"EVAL", b"return redis.call('SET', 'k', 'v')", b"0"])
    assert reply is not None
    assert reply.startswith(b"-ERR")
    assert person.seen == [b"*1\r\n" + END, b"closed"]
    assert engine.execute(engine.open_session(NoPort()), [b"EXISTS", b"k"]) == b":0\r\n"
