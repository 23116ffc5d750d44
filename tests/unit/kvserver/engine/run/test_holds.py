"""Replies that wait until the log is safe."""

from __future__ import annotations

from kvserver.engine.run.holds import COPIED, EVERYTHING, NONE, SYNCED, Held, Holds
from kvserver.engine.run.log import KEPT_ONLY, REPLICAS_ONLY, CommandLog
from kvserver.wire.resp import encode_request


class Client:
    """Whose replies wait: what came, and what it was told in the end."""

    def __init__(self, out: list[bytes]) -> None:
        self.out = out
        self.told: list[bytes] = []

    def released(self, data: bytes) -> None:
        self.out.append(data)

    def unsafe(self, text: bytes) -> None:
        self.told.append(text)


def held(out: list[bytes], offset: int, data: bytes, level: int = NONE, since_ms: int = 0) -> Held:
    """Replies of a client of their own."""
    return Held(offset, Client(out), data, level, since_ms)


def test_replies_go_out_in_order_as_promises_are_kept() -> None:
    """A reply waits for the slowest promise, and never overtakes an earlier one."""
    holds, out = Holds(), []
    holds.promise("file", 0)
    holds.promise("quorum", 0)
    for offset in (10, 20, 20, 30):
        holds.wait(held(out, offset, b"%d" % offset))
    holds.promise("file", 30)
    assert out == []
    holds.promise("quorum", 20)
    assert out == [b"10", b"20", b"20"]
    holds.promise("quorum", 30)
    assert out == [b"10", b"20", b"20", b"30"]
    assert holds.safe == 30
    assert not len(holds)


def test_what_waited_for_a_promise_that_ends_goes_out() -> None:
    """Without a promise nothing is held, and what another one still holds stays."""
    holds, out = Holds(), []
    assert not holds.on
    holds.promise("file", 0)
    holds.promise("quorum", 5)
    holds.wait(held(out, 5, b"a"))
    holds.wait(held(out, 9, b"b"))
    holds.drop("file")
    assert out == [b"a"]
    holds.drop("quorum")
    assert out == [b"a", b"b"]
    assert not holds.on
    holds.drop("quorum")


def test_levels_wait_each_for_its_own_and_for_every_promise() -> None:
    """A level is reached by itself, never before what is promised to all; one doesn't wait for another."""
    holds, out = Holds(), []
    for level in (COPIED, SYNCED):
        assert holds.reached(level) == EVERYTHING
        holds.reach(level, 0)
        holds.wait(held(out, 10, b"%d" % level, level))
    holds.promise("file", 5)
    holds.reach(COPIED, 20)
    assert out == []
    holds.promise("file", 10)
    assert out == [b"1"]
    assert holds.reached(COPIED) == 10
    holds.reach(SYNCED, 10)
    assert out == [b"1", b"2"]


def test_what_fails_fails_with_all_of_its_connection() -> None:
    """Who waits for too long is told so once, and nothing of it goes out later; who came later waits on."""
    holds, out = Holds(), []
    holds.reach(COPIED, 0)
    old, new = Client(out), Client(out)
    holds.wait(Held(5, old, b"a", COPIED, 100))
    holds.wait(Held(6, new, b"b", COPIED, 200))
    holds.wait(Held(7, old, b"c", COPIED, 300))
    assert holds.oldest_ms() == 100
    assert holds.fail(b"-NOQUORUM", until_ms=150) == 1
    assert (old.told, new.told) == ([b"-NOQUORUM"], [])
    holds.reach(COPIED, 10)
    assert out == [b"b"]
    assert holds.oldest_ms() == 0


def test_a_reply_that_needs_a_round_waits_for_it_first() -> None:
    """Confirmed replies go behind those of their level, and go out when that is reached."""
    holds, out, asked = Holds(), [], []
    holds.confirm = asked.append
    holds.reach(COPIED, 0)
    holds.wait(held(out, 5, b"a", COPIED), linear=True)
    holds.reach(COPIED, 5)
    assert out == []
    holds.confirmed(asked[0])
    assert out == [b"a"]


def test_keepers_come_first_and_miss_what_passes() -> None:
    """A keeper sees the effects alone, before the other sinks; it is told when only the offset has moved."""
    log, seen = CommandLog(), []
    log.attach(lambda data: seen.append(("sink", data)))
    log.attach(lambda data: seen.append(("keeper", data)), keeper=True)
    log.append_raw(b"one")
    log.append_passing(b"ping")
    log.append_raw(b"two")
    log.flush()
    log.append_passing(b"ping")
    log.flush()
    assert seen == [("keeper", b"onetwo"), ("sink", b"onepingtwo"), ("keeper", b""), ("sink", b"ping")]
    assert log.offset == 14


def test_effects_for_keepers_or_replicas_alone() -> None:
    """What a script wants in the file only doesn't move the offset; what it wants on replicas only isn't kept."""
    log, seen = CommandLog(), []
    log.attach(lambda data: seen.append(("sink", data)))
    log.attach(lambda data: seen.append(("keeper", data)), keeper=True)
    log.append(0, [b"A"])
    log.flush()
    seen.clear()
    log.append(KEPT_ONLY, [b"B"])
    log.append(REPLICAS_ONLY, [b"C"])
    log.append(0, [b"D"])
    log.flush()
    b, c, d = (encode_request([name]) for name in (b"B", b"C", b"D"))
    assert seen == [("keeper", b + d), ("sink", c + d)]
    seen.clear()
    offset = log.offset
    log.append(KEPT_ONLY, [b"B"])
    log.flush()
    assert seen == [("keeper", b)]
    assert log.offset == offset


def test_published_messages_pass_but_their_database_is_kept() -> None:
    """A PUBLISH outside of a transaction isn't kept; the SELECT that it brought about is, for what follows."""
    log, kept, sent = CommandLog(), [], []
    log.attach(kept.append, keeper=True)
    log.attach(sent.append)
    log.append_outside(3, [b"publish", b"c", b"m"])
    log.append_outside(3, [b"DEL", b"k"])
    log.flush()
    assert kept == [b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"]
    assert b"publish" in sent[0]
    log.detach(kept.append)
    assert log.active


def test_a_whole_log_keeps_all_that_counts() -> None:
    """With `whole`, PINGs and what was for replicas alone are kept, and what was for the file alone is for all."""
    log, kept, sent = CommandLog(), [], []
    log.whole = True
    log.attach(kept.append, keeper=True)
    log.attach(sent.append)
    log.append(0, [b"A"])
    log.append_passing(b"ping")
    log.append(KEPT_ONLY, [b"B"])
    log.append(REPLICAS_ONLY, [b"C"])
    log.flush()
    assert kept == sent
    assert log.offset == len(kept[0])
