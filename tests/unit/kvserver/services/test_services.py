"""What parts of a node offer each other: signals, the stand-ins, and that a data node lacks none."""

from __future__ import annotations

import os

import pytest

from kvserver.cli import plugins
from kvserver.config import Config, Loaded
from kvserver.engine.run.executor import Engine
from kvserver.engine.run.session import NoPort
from kvserver.node.node import Node
from kvserver.services import Services, alone
from kvserver.services.signals import Signal

STAND_INS = tuple(kind for name, kind in vars(alone).items() if name.startswith("No") and isinstance(kind, type))


def test_listeners_hear_in_the_order_of_connecting() -> None:
    """A signal calls who is connected, in order, with what was emitted; who disconnected hears no more."""
    signal: Signal[[int]] = Signal()
    heard: list[tuple[str, int]] = []
    first, second = (lambda number, name=name: heard.append((name, number)) for name in ("first", "second"))
    signal.connect(first)
    signal.connect(second)
    signal.emit(1)
    signal.disconnect(first)
    signal.emit(2)
    assert heard == [("first", 1), ("second", 1), ("second", 2)]


def test_who_disconnects_while_it_hears_makes_nobody_deaf() -> None:
    """A listener that disconnects itself keeps no other from hearing the same event."""
    signal: Signal[[]] = Signal()
    heard: list[str] = []

    def once() -> None:
        heard.append("once")
        signal.disconnect(once)

    signal.connect(once)
    signal.connect(lambda: heard.append("always"))
    signal.emit()
    signal.emit()
    assert heard == ["once", "always", "always"]


def test_a_data_node_has_every_service() -> None:
    """Put together from all plug-ins, a node has no stand-in for any service."""
    folder = os.getcwd()
    node = Node(Config(), Loaded(), plugins())
    assert node.engine.services is node.services
    offered = {name: thing for name, thing in vars(node.services).items() if isinstance(thing, STAND_INS)}
    assert not offered
    assert os.getcwd() == folder


def test_an_engine_by_itself_has_a_stand_in_for_every_service() -> None:
    """Without a node each service is one that says that it isn't there, and its user is served all the same."""
    engine = Engine(1, {})
    c = engine.open_session(NoPort())
    assert len([thing for thing in vars(engine.services).values() if isinstance(thing, STAND_INS)]) == 6
    assert engine.services.access.authenticate(c, b"default", b"any")
    assert not engine.services.access.authenticate(c, b"somebody", b"any")
    assert engine.services.persistence.synced_offset() is None
    assert engine.services.replication.position() is None


def test_what_nobody_keeps_is_a_fault() -> None:
    """A part's own state is found by its type, and asking for what isn't there is an error of ours."""
    services = Services()
    engine = Engine(1, {})
    services.keep(engine)
    assert services.kept(Engine) is engine
    with pytest.raises(KeyError):
        services.kept(Config)
