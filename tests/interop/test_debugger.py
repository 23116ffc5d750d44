"""The same debugging sessions on us and on a real server: the same lines come back."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from support import Server, require_peer, start_kvserver, start_redis

from kvserver.wire.resp import encode_request

END = b"<endsession>"
TOUR = b"""local a = 1
local t = {1, 'two', {x=1}, nil, true}
local function f(n)
  local inner = n * 2
  return inner
end
local b = f(21)
redis.call('SET', KEYS[1], 'v"\\n')
local got = redis.call('GET', KEYS[1])
local e = redis.pcall('LPUSH', KEYS[1], 'x')
redis.debug('hi', 12, t)
redis.breakpoint()
local long = string.rep('x', 400)
for i = 1, 3 do
  a = a + i
end
return {a, b, got}
"""
RESP3 = b"""redis.call('RPUSH', 'l', 'a', 'b') redis.setresp(3) redis.call('HSET', 'h', 'a', 1)
local x = redis.call('HGETALL', 'h')
redis.call('SADD', 's', 'm') redis.call('SMEMBERS', 's') redis.call('GET', 'none') redis.call('LRANGE', 'l', 0, -1)
redis.call('ZADD', 'z', 'INCR', 1.5, 'm')
return 1"""
THREADS = b"""local co = coroutine.wrap(function()
  local q = 1
  coroutine.yield(q)
  return 2
end)
local x = co()
co()
return 1"""
SESSIONS = {
    "looking": (
        TOUR,
        "help|list|l 3 1|l 0|whole|s|p|n|p t|print a|p nope|p KEYS|p ARGV|trace|b 5|b|b 99|b x|b -7|b 14 -14"
        "|s|s|trace|p|s|s|s|s|s|s|s|s|s|p long|maxlen|p long|maxlen 10|p long|maxlen 0|p long|b 0|c|c",
    ),
    "typing": (
        TOUR,
        "s|e a|e 1+1|e x=|e error('boom')|e return {1,{2,3}}|e redis.call('GET','kk')|r|r GET kk|r nope x|r GET"
        "|r SET kk v|r LPUSH kk a|r HGETALL kk|r LRANGE none 0 -1|r PING|r EVAL x 0|bogus|c|c",
    ),
    "aborting": (TOUR, "b 5|c|trace|p|p b|a"),
    "running": (TOUR, "c|c"),
    "an unknown command": (b"return redis.call('NOPE')", "s"),
    "a syntax error": (b"this is no lua", ""),
    "a table in itself": (
        b"local t={} t.t=t t[1]=t local q=1\nlocal z=2\nreturn 1", "s|p t|maxlen 0|p t|c",
    ),
    "a failing script": (b"error('x')", "c"),
    "a failure that is caught": (
        b"local ok, err = pcall(function() local w=1\n return nil + 1 end)\nreturn err", "s|s|p|trace|s|s|s",
    ),
    "other types": (RESP3, "s|s|s|s|s|s"),
    "coroutines": (THREADS, "s|s|s|trace|p|s|s|s|s|s"),
}  # fmt: skip


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    with start_redis() as theirs, start_kvserver() as ours:
        yield theirs, ours


class Debugging:
    """A client that debugs: words out, replies in."""

    def __init__(self, server: Server) -> None:
        self.link = server.connect()
        self.file = self.link.makefile("rb")

    def send(self, *words: bytes) -> None:
        self.link.sendall(encode_request(list(words)))

    def read(self) -> object:
        """One reply: an array as a list, anything else as its bytes; None at the end."""
        line = self.file.readline()
        if line[:1] == b"*":
            return [self.read() for _ in range(int(line[1:]))]
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)
        return line or None


def session(server: Server, script: bytes, commands: str) -> str:
    """Debug a script; all that came back, without addresses."""
    server.command("FLUSHALL")
    client = Debugging(server)
    client.send(b"SCRIPT", b"DEBUG", b"SYNC")
    told = [client.read()]
    client.send(b"EVAL", script, b"1", b"kk", b"arg")
    told.append(client.read())
    waiting = list(filter(None, commands.split("|")))
    while b"+" + END + b"\r\n" not in (told[-1] or ()) and told[-1] is not None:  # type: ignore[operator]
        client.send(*(waiting.pop(0) if waiting else "c").encode().split(b" "))
        told.append(client.read())
    told.append(client.read())
    client.link.close()
    return re.sub("0x[0-9a-f]+", "PTR", "\n".join(map(repr, told)))


@pytest.mark.parametrize("name", SESSIONS)
def test_sessions_look_alike(servers: tuple[Server, Server], name: str) -> None:
    """Each command of the debugger answers as Redis's does, and so does the script in the end."""
    theirs, ours = servers
    script, commands = SESSIONS[name]
    assert session(ours, script, commands) == session(theirs, script, commands)


def test_redis_cli_debugs(servers: tuple[Server, Server], tmp_path: object) -> None:
    """redis-cli's debugger steps through a script of ours, and shows what it returns."""
    script = tmp_path / "script.lua"  # type: ignore[operator]
    script.write_text("local a = 41\na = a + 1\nreturn a\n")
    command = [require_peer("redis-cli"), "-p", str(servers[1].port), "--ldb-sync-mode", "--eval", str(script)]
    done = subprocess.run(command, input="step\nprint\ncontinue\n", capture_output=True, text=True, timeout=30)
    assert "Stopped at 1" in done.stdout
    assert "<value> a = 41" in done.stdout
    assert "(integer) 42" in done.stdout
