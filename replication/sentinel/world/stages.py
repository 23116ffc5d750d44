"""The stages of an attempt to fail a group over, and the table of ways from one to the next.

    stage                 outcome      next stage
    WAIT_START            ELECTED      SELECT_SLAVE
    SELECT_SLAVE          CHOSEN       SEND_SLAVEOF_NOONE
    SEND_SLAVEOF_NOONE    SENT         WAIT_PROMOTION
    WAIT_PROMOTION        LEADS        RECONF_SLAVES
    RECONF_SLAVES         FOLLOWED     UPDATE_CONFIG
    UPDATE_CONFIG         SWITCHED     (the attempt is over: the group has another primary)
    any, to WAIT_PROMOTION  GIVEN_UP   (the attempt is over: nothing has changed)

In a group that goes by quorum nobody is selected and told to follow no one. The nodes are asked to promise the epoch,
and one of those that did is told to lead it; in a switchover that an operator planned the primary holds writes first:

    WAIT_START            HOLDS        HOLDING
    WAIT_START            CONVENED     GATHER_PROMISES
    HOLDING               CONVENED     GATHER_PROMISES
    GATHER_PROMISES       AGREED       WAIT_PROMOTION

From RECONF_SLAVES on there is a new primary, and an attempt can't be given up any more: it goes on to its end,
unless a newer configuration replaces what it made.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class Stage(IntEnum):
    """Where an attempt stands. The names in lower case are those of SENTINEL MASTER's failover-state."""

    WAIT_START = 1
    """We stand for election and count votes."""
    HOLDING = 2
    """We lead; the primary is to hold writes back until a replica has all of them."""
    GATHER_PROMISES = 3
    """We lead, and ask the nodes to promise the epoch to this try."""
    SELECT_SLAVE = 4
    """We lead, and look for the replica to promote."""
    SEND_SLAVEOF_NOONE = 5
    """A replica is chosen; it has yet to be told."""
    WAIT_PROMOTION = 6
    """It was told, and has yet to say that it is a primary."""
    RECONF_SLAVES = 7
    """It leads; the other replicas are led over to it."""
    UPDATE_CONFIG = 8
    """All is done but to call it the group's primary."""


class Outcome(Enum):
    """What ends a stage."""

    ELECTED = "elected"
    HOLDS = "holds"
    CONVENED = "convened"
    AGREED = "agreed"
    CHOSEN = "chosen"
    SENT = "sent"
    LEADS = "leads"
    FOLLOWED = "followed"
    SWITCHED = "switched"
    GIVEN_UP = "given up"


TRANSITIONS: dict[Stage, dict[Outcome, Stage | None]] = {
    Stage.WAIT_START: {Outcome.ELECTED: Stage.SELECT_SLAVE, Outcome.HOLDS: Stage.HOLDING,
                       Outcome.CONVENED: Stage.GATHER_PROMISES, Outcome.GIVEN_UP: None},
    Stage.HOLDING: {Outcome.CONVENED: Stage.GATHER_PROMISES, Outcome.GIVEN_UP: None},
    Stage.GATHER_PROMISES: {Outcome.AGREED: Stage.WAIT_PROMOTION, Outcome.GIVEN_UP: None},
    Stage.SELECT_SLAVE: {Outcome.CHOSEN: Stage.SEND_SLAVEOF_NOONE, Outcome.GIVEN_UP: None},
    Stage.SEND_SLAVEOF_NOONE: {Outcome.SENT: Stage.WAIT_PROMOTION, Outcome.GIVEN_UP: None},
    Stage.WAIT_PROMOTION: {Outcome.LEADS: Stage.RECONF_SLAVES, Outcome.GIVEN_UP: None},
    Stage.RECONF_SLAVES: {Outcome.FOLLOWED: Stage.UPDATE_CONFIG},
    Stage.UPDATE_CONFIG: {Outcome.SWITCHED: None},
}
"""The stage after a stage and its outcome; None: the attempt is over."""


class Reconf(Enum):
    """How far a replica is in following the promoted one; the value is the wire flag."""

    NONE = ""
    SENT = "reconf_sent"
    IN_PROGRESS = "reconf_inprog"
    DONE = "reconf_done"
