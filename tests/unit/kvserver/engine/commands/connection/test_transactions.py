"""What EXEC replies."""

from __future__ import annotations

import pytest

from kvserver.engine.command_table.registry import build_rows
from kvserver.engine.commands import all_handlers
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import ATT_REPLY, REPLY_OFF, NoPort, Session


class Inbox(NoPort):
    """A port that keeps what it is given."""

    def __init__(self) -> None:
        self.got = b""

    def write(self, data: bytes) -> None:
        """Keep a message."""
        self.got += data


@pytest.fixture
def client() -> Session:
    engine = Engine(1, build_rows(all_handlers()))
    return engine.open_session(Inbox())


def run(c: Session, *lines: str) -> bytes:
    """Queue the lines; what EXEC replies."""
    for line in ("MULTI", *lines):
        c.engine.execute(c, line.encode().split(b" "))
    reply: bytes = c.engine.execute(c, [b"EXEC"])
    return reply


def test_messages_to_oneself_stand_where_they_were_sent(client: Session) -> None:
    """A client that subscribes and publishes to itself reads the confirmation before the message."""
    client.out = []
    reply = run(client, "SUBSCRIBE ch", "PUBLISH ch hi", "PING")
    confirmed = b"*3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"
    message = b"*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$2\r\nhi\r\n"
    assert reply.startswith(b"*3\r\n" + confirmed + message + b":1\r\n")
    assert client.out == []


def test_messages_are_sent_though_replies_are_off(client: Session) -> None:
    """With CLIENT REPLY OFF the messages of a transaction go out, and only they."""
    client.reply_mode = REPLY_OFF
    client.attend(ATT_REPLY, True)
    run(client, "SUBSCRIBE ch", "PUBLISH ch hi")
    assert isinstance(client.port, Inbox)
    assert client.port.got.endswith(b"$2\r\nhi\r\n")


def test_sharded_subscriptions_are_refused(client: Session) -> None:
    """SSUBSCRIBE isn't allowed where nothing may wait."""
    assert run(client, "SSUBSCRIBE ch") == b"*1\r\n-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n"
