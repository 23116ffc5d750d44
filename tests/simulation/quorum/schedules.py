"""Schedules: random ones with a taste of their own, and guided ones that make the nasty orders likely.

A *macro* is a generator that proposes actions one after another, as a person would tell a story: an election, a
follower that comes back, a write and its acknowledgements, a fault. A schedule runs up to three of them at once, cuts
some short, and lets old messages arrive after all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from replication.quorum.node import QuorumNode
from replication.quorum.tally import Level
from simulation.quorum.deployment import Deployment
from simulation.quorum.shells import Connection, Member

Step = tuple[object, ...]
Macro = Iterator[Step]


class Macros:
    """What a schedule is made of."""

    def __init__(self, seed: int, make: Callable[[int, Level], Deployment] = Deployment) -> None:
        self.rng = rng = Random(seed)
        self.level = rng.choice((Level.MEMORY, Level.MEMORY, Level.SYNCED))
        self.n = rng.choice((3, 3, 3, 5))
        self.deployment = make(self.n, self.level)
        self.steps = rng.choice((30, 50, 80, 120))
        self.slots = list(range(self.n + 1))
        self.far: set[int] = set()
        self.slow_disk = rng.choice([None, *self.slots])
        self._key = 0
        self.tastes = [rng.choice((0, 0.3, 1, 3)) for _ in range(10)]
        self.losses = rng.choice((0, 0.2, 0.2, 0.8))
        self.cut = rng.choice((0, 0.01, 0.03, 0.1))
        self.company = rng.choice((0.1, 0.5, 0.9, 1))

    def fresh(self) -> int:
        self._key += 1
        return self._key

    def maybe(self, chance: float = 0.5) -> bool:
        return self.rng.random() < chance

    def member(self, slot: int) -> Member:
        return self.deployment.members[slot]

    def leaders(self) -> list[int]:
        return [m.slot for m in self.deployment.members if m.up and m.node.leading]

    def lists(self) -> set[int]:
        """The slots of all members, by whatever log."""
        sets = [m.node.members.now[-1] for m in self.deployment.members if m.node.members.now]
        return {int(node, 16) % 10 for members in sets for node in members}

    # -- macros -----------------------------------------------------------------------------------------------------

    def election(self, near: list[int] | None = None, first: int | None = None) -> Macro:
        rng, key = self.rng, self.fresh()
        yield "try", key, bool(self.deployment.tries) and self.maybe(0.1)
        asked = list(near or [s for s in self.slots if s not in self.far or self.maybe(0.1)])
        rng.shuffle(asked)
        asked.sort(key=lambda slot: slot != first)
        if self.maybe(0.8):
            listed = self.lists()
            asked = [s for s in asked if s in listed and self.member(s).up] or asked
        for slot in asked[: rng.choice((self.n // 2 + 1,) * 3 + (self.n, self.n + 1))]:
            yield "promise", key, slot
            if self.maybe(0.95):
                yield "hear", key, slot
        yield "choose", key
        chosen = self._chosen(key)
        if chosen is not None and self.maybe(0.15):
            yield from self.fault(chosen)
        yield "lead", key
        if chosen is not None and self.maybe(self.company):
            for slot in asked:
                yield from self.following(slot, chosen)

    def _chosen(self, key: int) -> int | None:
        attempt = self.deployment.tries.get(key)
        if attempt is None or attempt.choice is None:
            return None
        wanted = attempt.choice.node_id
        return next((m.slot for m in self.deployment.members if m.node.node_id == wanted), None)

    def following(self, follower: int | None = None, leader: int | None = None) -> Macro:
        leaders = self.leaders()
        if not leaders:
            return
        key = self.fresh()
        f = self.rng.choice(self.slots) if follower is None else follower
        to = self.rng.choice(leaders) if leader is None else leader
        at_work = self.member(f).node.following
        if ((f in self.far) == (to in self.far)) and (at_work is None or not at_work.on or self.maybe(0.1)):
            yield "connect", key, f, to
            yield from self.arrivals(key)

    @staticmethod
    def pending(link: Connection) -> bool:
        return bool((link.up and link.leader.up) or (link.down and link.follower.link is link))

    def arrivals(self, key: object = None, most: int | None = None) -> Macro:
        """Messages of one connection arrive: some, or all there are."""
        links = self.deployment.links
        if key is None:
            waiting = [k for k, link in links.items() if self.pending(link)]
            if not waiting:
                return
            key = self.rng.choice(waiting)
        for _ in range(most or self.rng.choice((1, 2, 4, 12))):
            link = links.get(key)
            if link is None or not self.pending(link):
                return
            if (link.follower.slot in self.far) != (link.leader.slot in self.far):
                return
            yield ("up" if link.up and (not link.down or self.maybe()) else "down"), key
            slot = self.rng.choice((link.follower.slot, link.leader.slot))
            if self.level is Level.SYNCED and slot != self.slow_disk and self.maybe():
                yield "sync", slot

    def serving(self, leader: int, most: int | None = None) -> Macro:
        """Messages of one leader's connections arrive."""
        for key, link in list(self.deployment.links.items()):
            if link.leader.slot == leader and self.pending(link) and self.maybe(0.7):
                yield from self.arrivals(key, most)

    def writing(self) -> Macro:
        leaders = self.leaders()
        if leaders:
            leader = self.rng.choice([*leaders, leaders[-1]])
            for _ in range(self.rng.choice((1, 1, 2))):
                yield "write", leader
            yield from self.serving(leader, self.rng.choice((None, 12)))

    def reading(self) -> Macro:
        leaders = self.leaders()
        slot = self.rng.choice(leaders) if leaders and self.maybe(0.6) else self.rng.choice(self.slots)
        yield "read", slot, self.maybe(0.6)
        link = self.member(slot).link
        yield from self.serving(link.leader.slot if link else slot)

    def fault(self, slot: int | None = None) -> Macro:
        if slot is None:
            leaders = self.leaders()
            slot = self.rng.choice(leaders if leaders and self.maybe(0.4) else self.slots)
        if self.maybe(0.2):
            yield "backup", slot
            return
        yield "crash", slot
        if self.maybe(0.9):
            lossy = self.maybe(self.losses)
            yield "restart", slot, self.rng.choice(("tail", "tail", "wiped", "old")) if lossy else "intact"
            if self.maybe():
                yield from self.following(slot)

    def replacement(self) -> Macro:
        leaders = self.leaders()
        if not leaders:
            return
        node = self.member(self.rng.choice(leaders)).node
        slot = next(m.slot for m in self.deployment.members if m.node is node)
        if node.leading is None or not node.members.now:
            return
        now = sorted(int(i, 16) for i in node.members.now[-1])
        strangers = [int(i, 16) for i in node.leading.tally.who() if int(i, 16) not in now]
        if strangers:
            new = self.rng.choice(strangers)
            places = [i for i in now if i % 10 == new % 10]
            yield "replace", slot, self.rng.choice(places or now), new
            yield from self.serving(slot, self.rng.choice((None, 12)))
            return
        outside = [s for s in self.slots if int(self.member(s).node.node_id, 16) not in now]
        if outside:
            yield from self.following(self.rng.choice(outside), slot)

    def latecomers(self) -> Macro:
        """Something old arrives after all."""
        tries = list(self.deployment.tries)
        if tries:
            key = self.rng.choice(tries)
            for slot in self.rng.sample(self.slots, 2):
                yield "promise", key, slot
                yield "hear", key, slot
            yield "choose", key
            yield "lead", key


class Schedule(Macros):
    """One schedule, chosen by a seed."""

    def __init__(self, seed: int, make: Callable[[int, Level], Deployment] = Deployment) -> None:
        super().__init__(seed, make)
        self.taken: list[Step] = []
        usual = (
            (self.election, 0.7), (self.following, 4.0), (self.writing, 5.0), (self.arrivals, 5.0), (self.reading, 2.0),
            (self.fault, 1.0), (self.replacement, 1.0), (self.latecomers, 1.0), (self.left_behind, 1.0),
            (self.comeback, 0.5),
        )  # fmt: skip
        self.macros: list[Callable[[], Macro]] = [macro for macro, _ in usual]
        self.weights = [weight * taste for (_, weight), taste in zip(usual, self.tastes, strict=True)]

    def left_behind(self) -> Macro:
        """Guided: a try goes on without the leader, who keeps its clients and gets a promised node back."""
        leaders = self.leaders()
        others = [s for s in self.slots if s not in leaders]
        if not leaders or not others:
            return
        leader, key = self.rng.choice(leaders), self.fresh()
        self.rng.shuffle(others)
        if self.maybe():
            yield "read", leader, True
            yield from self.serving(leader)
        yield "try", key
        late = [s for s in others if self.maybe()]
        for slot in others:
            if slot not in late:
                yield "promise", key, slot
                yield "hear", key, slot
        if self.maybe():
            yield "choose", key
            yield "lead", key
        yield from self._return_to(leader, self.rng.choice([s for s in others if s not in late] or others))
        for slot in late:
            yield "promise", key, slot
            yield "hear", key, slot
        yield "choose", key
        yield "lead", key
        for new in self.leaders():
            if new != leader:
                for slot in others:
                    yield from self.following(slot, new)
                yield "write", new
                yield from self.serving(new, 12)
        yield "read", leader, True

    def _return_to(self, leader: int, slot: int) -> Macro:
        if self.maybe():
            yield "crash", slot
            yield "restart", slot, self.rng.choice(("intact", "tail", "wiped", "old"))
        again = self.fresh()
        yield "connect", again, slot, leader
        for _ in range(self.rng.choice((2, 12))):
            yield "up", again
            yield "down", again
        yield from self.serving(leader, 12)
        if self.maybe():
            yield "write", leader
            yield from self.serving(leader, 12)

    def comeback(self) -> Macro:
        """Guided: a leader is replaced, follows, and leads again, while old words are still on their way."""
        leaders = self.leaders()
        if not leaders:
            return
        leader = self.rng.choice(leaders)
        others = [s for s in self.rng.sample(self.slots, len(self.slots)) if s != leader]
        for _ in range(self.rng.choice((1, 4))):
            yield "write", leader
        for key, link in list(self.deployment.links.items()):
            if link.leader.slot == leader and link.follower.slot == others[0]:
                for _ in range(8):
                    yield "down", key
        length = len(self.member(leader).log.entries)
        behind = [s for s in others if len(self.member(s).log.entries) < length]
        yield from self.election(behind)
        new = [s for s in self.leaders() if s != leader]
        if not new:
            return
        for key in list(self.deployment.tries)[-1:]:
            yield "promise", key, leader
        for slot in (leader, *behind):
            if self.maybe(0.8):
                yield from self.following(slot, new[-1])
        yield from self.serving(new[-1], 12)
        yield from self.election([leader, *behind], first=leader)
        yield from self.following(self.rng.choice(behind or others), leader)
        for key, link in list(self.deployment.links.items()):
            if link.leader.slot == leader and link.up:
                yield from self.arrivals(key, 12)
        yield from self.election(others)

    def run(self, do: Callable[[Step], bool] | None = None) -> None:
        """Run the schedule; `do` performs an action (by default on the deployment alone). Raises Violation."""
        do = do or self.deployment.do
        active: list[Macro] = []
        idle = 0
        if self.maybe(0.6):
            active = [self.writing(), *(self.following(f, 0) for f in self.slots if f and self.maybe(0.9))]
        while len(self.taken) < self.steps and idle < 200:
            self._move_apart()
            if len(active) < 3 and (not active or self.maybe(0.15)):
                active.append(self._next())
            macro = active[-1] if self.maybe(0.7) else self.rng.choice(active)
            step = next(macro, None)
            if step is None or self.maybe(self.cut):
                active.remove(macro)
            if step is None:
                idle += 1
                continue
            self.taken.append(step)
            if do(step):
                idle = 0
            else:
                self.taken.pop()
                idle += 1

    def _move_apart(self) -> None:
        if self.maybe(0.05):
            self.far = set(self.rng.sample(self.slots, self.rng.choice((0, 1, 1, 2))))
            if self.maybe(0.3):
                self.far.update(self.leaders()[:1])
            if len(self.slots) - len(self.far) <= self.n // 2 and self.maybe(0.8):
                self.far = set()

    def _next(self) -> Macro:
        if not self.leaders() and self.maybe(0.7):
            return self.election()
        if not any(self.weights):
            return self.writing()
        return self.rng.choices(self.macros, self.weights)[0]()


def break_with(machine: type[QuorumNode]) -> Callable[[int, Level], Deployment]:
    """A deployment whose nodes are of another class, with a rule switched off."""
    return lambda n, level: Deployment(n, level, machine)
