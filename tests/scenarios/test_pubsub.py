"""Publish and subscribe, byte for byte, with the replies that Redis 7.0 gives."""

from __future__ import annotations

import socket

from support import Server


def expect(link: socket.socket, request: str, *replies: str) -> None:
    """Send a line; the bytes that come must be these, blanks standing for CRLF (and a bulk's length is made)."""
    link.sendall(request.encode() + b"\r\n")
    wanted = "".join(f"{word}\r\n" for reply in replies for word in reply.split(" ")).encode()
    got = b""
    while len(got) < len(wanted):
        chunk = link.recv(len(wanted) - len(got))
        assert chunk, got
        got += chunk
    assert got == wanted


def test_confirmations_count_subscriptions(node: Server) -> None:
    """Each channel is confirmed with the number of subscriptions so far, patterns included."""
    with node.connect() as link:
        expect(link, "SUBSCRIBE a b", "*3 $9 subscribe $1 a :1", "*3 $9 subscribe $1 b :2")
        expect(link, "SUBSCRIBE a", "*3 $9 subscribe $1 a :2")
        expect(link, "PSUBSCRIBE x*", "*3 $10 psubscribe $2 x* :3")
        expect(link, "SSUBSCRIBE s", "*3 $10 ssubscribe $1 s :1")
        expect(link, "UNSUBSCRIBE nothere", "*3 $11 unsubscribe $7 nothere :3")
        expect(link, "UNSUBSCRIBE a b", "*3 $11 unsubscribe $1 a :2", "*3 $11 unsubscribe $1 b :1")
        expect(link, "PUNSUBSCRIBE", "*3 $12 punsubscribe $2 x* :0")
        expect(link, "PUNSUBSCRIBE", "*3 $12 punsubscribe $-1 :0")
        expect(link, "SUNSUBSCRIBE", "*3 $12 sunsubscribe $1 s :0")
        expect(link, "UNSUBSCRIBE", "*3 $11 unsubscribe $-1 :0")
        expect(link, "ECHO free", "$4 free")


def test_messages(node: Server) -> None:
    """A message goes to each subscriber once per subscription, channels before patterns."""
    with node.connect() as ear, node.connect() as mouth:
        expect(ear, "SUBSCRIBE news", "*3 $9 subscribe $4 news :1")
        expect(ear, "PSUBSCRIBE n?ws", "*3 $10 psubscribe $4 n?ws :2")
        expect(mouth, "PUBLISH news hi", ":2")
        expect(ear, "PING x", "*3 $7 message $4 news $2 hi", "*4 $8 pmessage $4 n?ws $4 news $2 hi", "*2 $4 pong $1 x")
        expect(mouth, "PUBLISH other hi", ":0")
        expect(mouth, "SPUBLISH news hi", ":0")
        expect(mouth, "PUBSUB NUMSUB news none", "*4 $4 news :1 $4 none :0")
        expect(mouth, "PUBSUB CHANNELS n*", "*1 $4 news")
        expect(mouth, "PUBSUB CHANNELS z*", "*0")
        expect(mouth, "PUBSUB NUMPAT", ":1")


def test_resp2_subscribers_may_ask_little(node: Server) -> None:
    """With RESP2 a subscriber may only subscribe, ping and leave; RESET makes it an ordinary client again."""
    with node.connect() as link:
        expect(link, "SUBSCRIBE a", "*3 $9 subscribe $1 a :1")
        link.sendall(b"GET k\r\n")
        refusal = b"-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed "
        assert link.recv(1000) == refusal + b"in this context\r\n"
        expect(link, "PING", "*2 $4 pong $0 ")
        expect(link, "RESET", "+RESET")
        expect(link, "PING", "+PONG")


def test_resp3_subscribers_get_pushes_and_may_ask(node: Server) -> None:
    """With RESP3 messages are pushes, and the subscriber's own commands are answered between them."""
    with node.connect() as link:
        link.sendall(b"HELLO 3\r\n")
        while not link.recv(4096).endswith(b"*0\r\n"):
            pass
        expect(link, "SUBSCRIBE a", ">3 $9 subscribe $1 a :1")
        expect(link, "ECHO x", "$1 x")
        expect(link, "PING", "+PONG")
        expect(link, "PUBLISH a hi", ">3 $7 message $1 a $2 hi", ":1")
        expect(link, "UNSUBSCRIBE a", ">3 $11 unsubscribe $1 a :0")


def test_publish_inside_a_transaction(node: Server) -> None:
    """What EXEC publishes is delivered when it runs, and DISCARD publishes nothing."""
    with node.connect() as ear, node.connect() as mouth:
        expect(ear, "SUBSCRIBE t", "*3 $9 subscribe $1 t :1")
        expect(mouth, "MULTI", "+OK")
        expect(mouth, "PUBLISH t no", "+QUEUED")
        expect(mouth, "DISCARD", "+OK")
        expect(mouth, "MULTI", "+OK")
        expect(mouth, "PUBLISH t yes", "+QUEUED")
        expect(mouth, "EXEC", "*1 :1")
        expect(ear, "PING", "*3 $7 message $1 t $3 yes", "*2 $4 pong $0 ")


def test_shard_channels_are_apart(node: Server) -> None:
    """Shard channels have their own names, subscribers and counts."""
    with node.connect() as ear, node.connect() as mouth:
        expect(ear, "SSUBSCRIBE s", "*3 $10 ssubscribe $1 s :1")
        expect(mouth, "SPUBLISH s hi", ":1")
        expect(mouth, "PUBLISH s hi", ":0")
        expect(mouth, "PUBSUB SHARDCHANNELS", "*1 $1 s")
        expect(mouth, "PUBSUB SHARDNUMSUB s", "*2 $1 s :1")
        expect(ear, "SUNSUBSCRIBE s", "*3 $8 smessage $1 s $2 hi", "*3 $12 sunsubscribe $1 s :0")
