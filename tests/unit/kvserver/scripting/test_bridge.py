"""What goes between Lua and Python when a script is run and calls commands, whoever carries it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import Session
from kvserver.scripting.host import host_of

Run = Callable[..., bytes]


def test_an_error_of_ours_ends_the_script(engine: Engine, client: Session) -> None:
    """What Python fails with inside a command ends the script, even in pcall, and is raised to who ran it."""
    host = host_of(client)
    if host.runtime().bridge is None:
        pytest.skip("lupa's own calls leave that to the script")

    class Ended(BaseException):
        pass

    def end(c: Session, a: list[bytes]) -> bytes:
        raise Ended

    engine.rows[b"ECHO"].fn = end
    source = b"for i = 1, 3 do pcall(redis.call, 'ECHO', 'x') end redis.call('SET', 'k', 'v') return 1"
    with pytest.raises(Ended):
        engine.execute(client, [b"EVAL", source, b"0"])
    assert engine.execute(client, [b"EXISTS", b"k"]) == b":0\r\n"
    assert engine.execute(client, [b"EVAL", b"return redis.call('SET', 'k', 'v')", b"0"]) == b"+OK\r\n"


def test_any_number_of_arguments(run: Run) -> None:
    """Thousands of keys go in, and thousands of arguments into a command; what is no string is refused as in Redis."""
    many = [b"%d" % i for i in range(7000)]
    assert run("return #KEYS + #ARGV", *many, keys=3000) == b":7000\r\n"
    assert run("return redis.call('RPUSH', 'l', unpack(ARGV))", *many) == b":7000\r\n"
    assert run("return redis.call('LRANGE', 'l', 0, -1)[7000]") == b"$4\r\n6999\r\n"
    refused = b"-ERR Lua redis lib command arguments must be strings or integers"
    assert run("return redis.pcall('GET', nil)").startswith(refused)
    assert run("return redis.call('GET', {})").startswith(refused)
    assert run("return redis.pcall()").startswith(b"-ERR Please specify at least one argument")


@pytest.mark.parametrize(
    ("number", "text"),
    [("3", b"3"), ("-7", b"-7"), ("0.1", b"0.10000000000000001"), ("1e15", b"1000000000000000"),
     ("2^53", b"9007199254740992"), ("1e17", b"1e+17"), ("-1e22", b"-1e+22"), ("1/0", b"inf"), ("-1/0", b"-inf")],
)  # fmt: skip
def test_numbers_as_arguments(run: Run, number: str, text: bytes) -> None:
    """A number becomes an argument with 17 significant digits, a whole one without a point."""
    expected = b"$%d\r\n%b\r\n" % (len(text), text)
    assert run(f"redis.call('SET', 'n', {number}) return redis.call('GET', 'n')") == expected
