"""The handshake's table: what is sent, how each reply is judged."""

import pytest

from replication.replica.handshake import (
    Action,
    Full,
    Handshake,
    Partial,
    Refused,
    Send,
    Settings,
    Wait,
    psync_reply,
    retry_delay_s,
)

ID = b"a" * 40


def _settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "user": b"",
        "password": b"",
        "listening_port": 7000,
        "announce_ip": b"",
        "replid": b"?",
        "next_offset": -1,
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def _walk(settings: Settings, replies: list[bytes]) -> list[Action]:
    handshake = Handshake(settings)
    return [handshake.start(), *map(handshake.reply, replies)]


def test_the_shortest_way() -> None:
    """Without password and announced address the replica sends PING, its port, its abilities and PSYNC."""
    assert _walk(_settings(), [b"+PONG", b"+OK", b"+OK", b"", b"+FULLRESYNC " + ID + b" 12"]) == [
        Send([b"PING"]),
        Send([b"REPLCONF", b"listening-port", b"7000"]),
        Send([b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]),
        Send([b"PSYNC", b"?", b"-1"]),
        Wait(),
        Full(ID, 12),
    ]


def test_everything_announced() -> None:
    """User, password, address, the id followed so far and a coordinated failover all appear in place."""
    settings = _settings(
        user=b"repl", password=b"pw", announce_ip=b"10.0.0.9", replid=ID, next_offset=77, failover=True
    )
    replies = [b"-NOAUTH Authentication required.", b"+OK", b"+OK", b"+OK", b"-ERR unknown", b"+CONTINUE"]
    assert _walk(settings, replies) == [
        Send([b"PING"]),
        Send([b"AUTH", b"repl", b"pw"]),
        Send([b"REPLCONF", b"listening-port", b"7000"]),
        Send([b"REPLCONF", b"ip-address", b"10.0.0.9"]),
        Send([b"REPLCONF", b"capa", b"eof", b"capa", b"psync2"]),
        Send([b"PSYNC", ID, b"77", b"FAILOVER"]),
        Partial(None),
    ]


def test_password_alone() -> None:
    """masterauth without masteruser is the one-argument AUTH."""
    assert _walk(_settings(password=b"pw"), [b"+PONG"])[1] == Send([b"AUTH", b"pw"])


@pytest.mark.parametrize(
    ("replies", "soon"),
    [
        ([b"-ERR something"], False),
        ([b"-LOADING loading the dataset in memory"], True),
        ([b"$5"], False),
        ([b"+PONG", b"-LOADING loading"], True),
        ([b"+PONG", b"+OK", b"+OK", b"-NOMASTERLINK Can't SYNC"], True),
        ([b"+PONG", b"+OK", b"+OK", b"-ERR no psync"], False),
        ([b"+PONG", b"+OK", b"+OK", b"+FULLRESYNC nonsense 12"], False),
        ([b"+PONG", b"+OK", b"+OK", b"+FULLRESYNC " + ID + b" 1_0"], False),
        ([b"+PONG", b"+OK", b"+OK", b"+CONTINUE nonsense"], False),
        ([b"+PONG", b"+OK", b"+OK", b"+CONTINUE"], False),  # to PSYNC ? -1
        ([b"+PONG", b"+OK", b"+OK", b"+CONTINUE " + ID], False),
    ],
)
def test_refusals(replies: list[bytes], soon: bool) -> None:
    """A refusal ends the attempt, and says whether the primary will be ready soon."""
    last = _walk(_settings(), replies)[-1]
    assert isinstance(last, Refused)
    assert last.soon is soon


def test_a_wrong_password_ends_the_attempt() -> None:
    """AUTH must succeed."""
    last = _walk(_settings(password=b"pw"), [b"+PONG", b"-WRONGPASS invalid"])[-1]
    assert last == Refused("Unable to AUTH to MASTER: WRONGPASS invalid")


def test_continue_with_an_id() -> None:
    """+CONTINUE may bring the id under which the stream goes on."""
    assert psync_reply(b"+CONTINUE " + ID) == Partial(ID)


def test_retries_slow_down() -> None:
    """The delay grows from a tenth of a second to a few seconds, and less when the primary is nearly up."""
    delays = [retry_delay_s(n, soon=False) for n in range(8)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1], retry_delay_s(1000, soon=True)) == (0.1, 3.0, 1.0)
