"""How connections end: what each client still gets to see, on a real Redis and on ours, for each way of ending one."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest
from support import start_kvserver, start_redis, wait_until
from support.endings import OPEN, SECONDS, Pair

Story = Callable[[Pair], object]


def kill_idle(p: Pair) -> object:
    """By id."""
    victim = p.link()
    return p.do(b"CLIENT KILL ID %d" % victim.id), victim.seen()


def kill_by_address(p: Pair) -> object:
    """The old form."""
    victim = p.link()
    return p.do(b"CLIENT KILL 127.0.0.1:%d" % victim.sock.getsockname()[1]), victim.seen()


def kill_self_by_address(p: Pair) -> object:
    """The old form ends the caller behind its reply; what is behind isn't served."""
    me = p.link()
    me.send(b"PING", b"CLIENT KILL 127.0.0.1:%d" % me.sock.getsockname()[1], b"PING")
    return me.seen()


def kill_self_by_id(p: Pair) -> object:
    me = p.link()
    me.send(b"PING", b"CLIENT KILL ID %d SKIPME no" % me.id, b"PING")
    return me.seen()


def kill_skips_me(p: Pair) -> object:
    me = p.link()
    me.send(b"CLIENT KILL ID %d" % me.id)
    return me.answers()


def kill_self_in_multi(p: Pair) -> object:
    me = p.link()
    me.send(b"MULTI", b"PING", b"CLIENT KILL ID %d SKIPME no" % me.id, b"EXEC", b"PING")
    return me.seen()


def kill_type_normal(p: Pair) -> object:
    """Subscribers are of another type; those that wait, monitors and those in MULTI are normal."""
    subscriber = p.subscriber()
    monitor = p.link(b"MONITOR")
    monitor.line()
    queueing = p.link(b"MULTI", b"PING")
    queueing.line(), queueing.line()
    waiting = [p.waiting(b"BLPOP q 0"), p.waiting(b"XREAD BLOCK 0 STREAMS x $"), p.waiting(b"WAIT 1 0")]
    victims = [monitor, queueing, *waiting]
    killer = p.link()
    for victim in victims:
        killer.send(b"CLIENT KILL ID %d TYPE normal" % victim.id)
    said = killer.answers()
    return said, [victim.seen() for victim in victims[1:]], monitor.seen().count(b"blpop"), subscriber.answers()


def kill_type_pubsub(p: Pair) -> object:
    subscriber, other = p.subscriber(), p.link()
    return p.do(b"CLIENT KILL TYPE pubsub"), subscriber.seen(), other.answers()


def message_then_kill(p: Pair) -> object:
    """A message of the same turn is dropped."""
    subscriber = p.subscriber()
    return p.do(b"PUBLISH ch hi", b"CLIENT KILL TYPE pubsub"), subscriber.seen()


def message_then_kill_in_multi(p: Pair) -> object:
    subscriber = p.subscriber()
    return p.do(b"MULTI", b"PUBLISH ch hi", b"CLIENT KILL TYPE pubsub", b"EXEC"), subscriber.seen()


def served_then_killed(p: Pair) -> object:
    """A waiting client that is served and killed in one turn has taken the element, and doesn't see it."""
    waiter = p.waiting(b"BLPOP q 0")
    return p.do(b"LPUSH q v", b"CLIENT KILL ID %d" % waiter.id, b"LLEN q"), waiter.seen()


def killed_in_the_transaction_that_serves(p: Pair) -> object:
    """A waiting client is served when the transaction is over: one that is killed in it takes nothing."""
    waiter = p.waiting(b"BLPOP q 0")
    return p.do(b"MULTI", b"LPUSH q v", b"CLIENT KILL ID %d" % waiter.id, b"EXEC", b"LLEN q"), waiter.seen()


def unblocked_then_killed(p: Pair) -> object:
    waiter = p.waiting(b"BLPOP q 0")
    said = p.do(b"CLIENT UNBLOCK %d ERROR" % waiter.id, b"CLIENT KILL ID %d" % waiter.id)
    return said, waiter.seen()


def requests_behind_a_wait_then_killed(p: Pair) -> object:
    waiter = p.link(b"BLPOP q 0", b"PING", b"PING").blocked()
    return p.do(b"CLIENT KILL ID %d" % waiter.id), waiter.seen()


def killed_while_paused(p: Pair) -> object:
    p.do(b"CLIENT PAUSE 60000 WRITE")
    held = p.link(b"SET a 1").blocked()
    said = p.do(b"CLIENT KILL ID %d" % held.id, b"CLIENT UNPAUSE", b"GET a")
    return said, held.seen()


def demoted_by_a_sentinel(p: Pair) -> object:
    """The transaction by which a sentinel demotes: who waits sees end of file and nothing else."""
    waiting = [p.waiting(b"BLPOP q 0"), p.waiting(b"BRPOPLPUSH q r 0"), p.waiting(b"XREAD BLOCK 0 STREAMS x $"),
               p.waiting(b"BZPOPMIN z 0"), p.waiting(b"WAIT 1 0")]
    idle, subscriber = p.link(), p.subscriber()
    said = p.do(b"MULTI", b"REPLICAOF 127.0.0.1 1", b"CLIENT KILL TYPE normal", b"CLIENT KILL TYPE pubsub", b"EXEC")
    return said, [link.seen() for link in waiting], idle.seen(), subscriber.seen()


def demoted_alone(p: Pair) -> object:
    """A lone REPLICAOF tells those that wait, and ends them; the others stay."""
    waiting = [p.waiting(b"BLPOP q 0"), p.waiting(b"XREAD BLOCK 0 STREAMS x $"), p.waiting(b"WAIT 1 0"),
               p.link(b"BLPOP q 0", b"PING").blocked()]
    idle, subscriber = p.link(), p.subscriber()
    said = p.do(b"REPLICAOF 127.0.0.1 1")
    return said, [link.seen() for link in waiting], idle.answers(), subscriber.answers()


def demoted_while_paused(p: Pair) -> object:
    """Who waits for the end of a pause isn't told, and runs its request as a replica's client."""
    p.do(b"CLIENT PAUSE 60000 WRITE")
    held = p.link(b"SET a 1").blocked()
    said = p.do(b"REPLICAOF 127.0.0.1 1", b"CLIENT UNPAUSE")
    return said, held.answers()


def promoted(p: Pair) -> object:
    """Nobody is ended by a promotion."""
    p.do(b"REPLICAOF 127.0.0.1 1")
    idle, subscriber = p.link(), p.subscriber()
    waiter = p.waiting(b"XREAD BLOCK 0 STREAMS x $")
    return p.do(b"REPLICAOF NO ONE", b"XADD x 1-1 f v"), idle.answers(), subscriber.answers(), waiter.answers()


def quit_(p: Pair) -> object:
    """What is behind QUIT isn't served."""
    return p.link(b"PING", b"QUIT", b"PING").seen()


def quit_in_multi(p: Pair) -> object:
    return p.link(b"MULTI", b"PING", b"QUIT", b"PING").seen()


def quit_of_a_subscriber(p: Pair) -> object:
    return p.link(b"SUBSCRIBE ch", b"QUIT", b"PING").seen()


def quit_without_replies(p: Pair) -> object:
    return p.link(b"PING", b"CLIENT REPLY OFF", b"QUIT").seen()


def quit_of_a_monitor(p: Pair) -> object:
    return p.link(b"MONITOR", b"QUIT").seen()


def reset(p: Pair) -> object:
    """RESET ends subscriptions, MULTI and MONITOR, not the connection."""
    queueing, monitor = p.link(b"MULTI", b"PING", b"RESET"), p.link(b"MONITOR", b"RESET")
    return p.link(b"SUBSCRIBE ch", b"RESET").answers(), queueing.answers(), monitor.answers()


def idle_timeout(p: Pair) -> object:
    """`timeout` is for idle clients, in MULTI too; who waits or listens stays."""
    waiter, subscriber, monitor = p.waiting(b"BLPOP q 0"), p.subscriber(), p.link(b"MONITOR")
    idle, queueing = p.link(), p.link(b"MULTI")
    p.do(b"CONFIG SET timeout 1")
    seen = idle.seen(), queueing.seen()
    p.do(b"CONFIG SET timeout 0", b"LPUSH q v")
    monitor.sock.settimeout(0.2)
    return seen, waiter.answers(), subscriber.answers(), monitor.seen().endswith(OPEN)


def shutdown(p: Pair) -> object:
    """Everybody sees end of file, the caller too."""
    others = [p.link(), p.waiting(b"BLPOP q 0"), p.subscriber(), p.link(b"MULTI")]
    caller = p.link(b"SHUTDOWN NOSAVE", b"PING")
    seen = [link.seen() for link in others]
    return caller.seen(), seen


def shutdown_in_a_slow_script(p: Pair) -> object:
    p.do(b"CONFIG SET busy-reply-threshold 100")
    admin, runner = p.link(), p.link(b"EVAL 'while true do end' 0")

    def busy() -> bool:
        return admin.ask(b"PING\r\n").startswith(b"-BUSY")

    wait_until(busy)
    admin.send(b"SHUTDOWN NOSAVE")
    return admin.seen(), runner.seen()


def user_deleted(p: Pair) -> object:
    """Users' connections end with them; who deletes itself gets the reply, and nothing behind."""
    p.do(b"ACL SETUSER bob on nopass +@all ~* &*", b"ACL SETUSER eve on nopass +@all ~* &*")
    bob, waiter, listener, eve = p.link(), p.link(), p.link(), p.link()
    for link in (bob, waiter, listener):
        link.ask(b"AUTH bob x\r\n")
    eve.ask(b"AUTH eve x\r\n")
    waiter.send(b"BLPOP q 0")
    waiter.blocked()
    listener.send(b"SUBSCRIBE ch")
    for _ in range(6):
        listener.line()
    said = p.do(b"PUBLISH ch hi", b"ACL DELUSER bob")
    eve.send(b"PING", b"ACL DELUSER eve", b"PING")
    return said, bob.seen(), waiter.seen(), listener.seen(), eve.seen()


def user_loses_channels(p: Pair) -> object:
    """A subscriber that may listen no longer is ended; switching a user off ends nobody."""
    p.do(b"ACL SETUSER bob on nopass +@all ~* &*")
    listener, idle = p.link(), p.link()
    for link in (listener, idle):
        link.ask(b"AUTH bob x\r\n")
    listener.send(b"SUBSCRIBE ch")
    for _ in range(6):
        listener.line()
    said = p.do(b"ACL SETUSER bob resetchannels &other")
    first = listener.seen(), idle.answers()
    return said, first, p.do(b"ACL SETUSER bob off"), idle.answers()


def protocol_error(p: Pair) -> object:
    """The replies so far, the error, the end."""
    bulk, line, count = p.link(), p.link(), p.link()
    bulk.send(b"PING", b"*1", b"+x", b"PING")
    line.send(b"SET a 'b")
    count.send(b"PING", b"*1234567890123", b"PING")
    return bulk.seen(), line.seen(), count.seen()


def protocol_error_in_multi(p: Pair) -> object:
    return p.link(b"MULTI", b"PING", b"*1", b"+x").seen()


def web_page(p: Pair) -> object:
    """HTTP's POST and Host: end the connection without a word."""
    post = p.link(b"PING", b"POST / HTTP/1.1", b"Host: x", b"")
    get = p.link()
    get.send(b"GET / HTTP/1.1", b"Host: x", b"")
    return post.seen(), get.seen()


def query_buffer(p: Pair) -> object:
    """A request larger than the limit: end of file and nothing else."""
    p.do(b"CONFIG SET client-query-buffer-limit 1mb")
    link = p.link()
    with contextlib.suppress(OSError):
        link.sock.sendall(b"*2\r\n$4\r\nECHO\r\n$3000000\r\n" + b"x" * 2_900_000)
    return link.seen()


def output_hard_limit(p: Pair) -> object:
    """What a pipeline of replies exceeds the limit by, and all before it, is dropped."""
    p.do(b"SET big " + b"x" * 60_000, b"CONFIG SET client-output-buffer-limit 'normal 100000 0 0'")
    return p.link(b"PING", *[b"GET big"] * 5, b"PING").seen()


def output_limit_of_a_subscriber(p: Pair) -> object:
    """Messages of one turn that are more than the limit."""
    subscriber = p.subscriber()
    p.do(b"CONFIG SET client-output-buffer-limit 'pubsub 100000 0 0'")
    big = b"EVAL \"for i = 1, 3 do redis.call('publish', 'ch', string.rep('x', 60000)) end\" 0"
    said = p.do(big)
    return said, subscriber.seen()


def too_many_clients(p: Pair) -> object:
    p.do(b"CONFIG SET maxclients 1")
    keeps = p.link()
    with p.server.connect(SECONDS) as sock:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := sock.recv(4096):
                data += chunk
    return data, keeps.answers()


def half_closed(p: Pair) -> object:
    """A peer that sends no more gets the replies to what it sent; one that waits is forgotten."""
    pipeline, waiter = p.link(b"PING", b"SET a 1", b"GET a"), p.link(b"BLPOP q 0").blocked()
    asked = pipeline.line()
    pipeline.sock.shutdown(socket.SHUT_WR)
    waiter.sock.shutdown(socket.SHUT_WR)
    return asked, pipeline.seen(), waiter.seen()


def evicted(p: Pair) -> object:
    """maxmemory-clients: the largest client is cut off, without what it waited for."""
    p.do(b"CONFIG SET maxmemory-clients 2mb")
    large, small = p.link(), p.link()
    with contextlib.suppress(OSError):
        large.sock.sendall(b"*2\r\n$4\r\nECHO\r\n$9000000\r\n" + b"x" * 8_000_000)
    return large.seen(), small.answers(), p.server.info("stats")["evicted_clients"]


def publishing_to_oneself(p: Pair) -> object:
    """In MULTI confirmations and messages stand where the commands put them."""
    seen = []
    for protocol in (b"2", b"3"):
        me = p.link(b"HELLO " + protocol)
        for _ in range(100):
            if me.line() == b"$7\r\n" and me.line() == b"modules\r\n":
                break
        me.line()
        me.send(b"MULTI", b"SUBSCRIBE ch", b"PUBLISH ch hi", b"PSUBSCRIBE c*", b"PUBLISH ch ho", b"SPUBLISH ch no",
                b"SSUBSCRIBE ch", b"SPUBLISH ch so", b"UNSUBSCRIBE", b"PUBLISH ch hu", b"EXEC")
        seen.append(me.answers())
    return seen


def publishing_to_oneself_without_replies(p: Pair) -> object:
    """With CLIENT REPLY OFF messages come, and nothing else."""
    me = p.link(b"CLIENT REPLY OFF", b"MULTI", b"SUBSCRIBE ch", b"PUBLISH ch hi", b"PING", b"EXEC")
    p.do(b"PUBLISH ch a")
    return p.do(b"CLIENT KILL ID %d" % me.id), me.seen()


STORIES: tuple[Story, ...] = (
    kill_idle, kill_by_address, kill_self_by_address, kill_self_by_id, kill_skips_me, kill_self_in_multi,
    kill_type_normal, kill_type_pubsub, message_then_kill, message_then_kill_in_multi, served_then_killed,
    killed_in_the_transaction_that_serves, unblocked_then_killed, requests_behind_a_wait_then_killed,
    killed_while_paused, demoted_by_a_sentinel, demoted_alone, demoted_while_paused, promoted, quit_, quit_in_multi,
    quit_of_a_subscriber, quit_without_replies, quit_of_a_monitor, reset, idle_timeout, shutdown,
    shutdown_in_a_slow_script, user_deleted, user_loses_channels, protocol_error, protocol_error_in_multi, web_page,
    query_buffer, output_hard_limit, output_limit_of_a_subscriber, too_many_clients, half_closed, evicted,
    publishing_to_oneself, publishing_to_oneself_without_replies,
)  # fmt: skip


@pytest.fixture
def pairs() -> Iterator[tuple[Pair, Pair]]:
    with start_redis() as theirs, start_kvserver() as ours:
        yield Pair(theirs), Pair(ours)
        assert "Traceback" not in ours.log_text()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__.rstrip("_"))
def test_clients_see_the_same(pairs: tuple[Pair, Pair], story: Story) -> None:
    """For each way of ending a connection, every client sees the same bytes from ours as from Redis."""
    theirs, ours = pairs
    expected = story(theirs)
    assert story(ours) == expected
