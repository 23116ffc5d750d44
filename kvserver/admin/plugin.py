"""Plugs the admin commands into a data node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from kvserver.admin import clients as client, config, debug, eviction, info, lolwut, modules, shutdown
from kvserver.admin.clients.memory_limit import ClientLimit
from kvserver.admin.clients.pause import Pause
from kvserver.admin.context import Admin, NodeView
from kvserver.admin.info import command_sections as commands, sections
from kvserver.admin.observe import latency, memory, monitor, slowlog
from kvserver.admin.observe.latency import LatencyMonitor
from kvserver.admin.observe.monitor import Monitors
from kvserver.admin.observe.process import Process
from kvserver.admin.observe.rates import Rates
from kvserver.admin.observe.redact import redact
from kvserver.admin.observe.slowlog import SlowLog
from kvserver.client.tls import OPTIONS as TLS_OPTIONS
from kvserver.config import Config, ConfigError
from kvserver.doors import Disk
from kvserver.engine.command_table.row import FAST, SKIP_SLOWLOG, Row
from kvserver.engine.commands.keys import object as introspect
from kvserver.engine.events import notifications
from kvserver.engine.events.tracking import Tracker
from kvserver.engine.run.session import ATT_INTERNAL, Session
from kvserver.node.listening import Listening
from kvserver.node.oom_score import OomScore
from kvserver.node.proc_title import ProcTitle

TICK_S = 0.1
NEVER_S = 1e9
_GROUPS = (client, config, debug, info, introspect, latency, lolwut, memory, modules, monitor, shutdown, slowlog)


def attach(node: NodeView) -> None:
    """Add handlers, gates, INFO sections and periodic work to the node."""
    for group in _GROUPS:
        node.handlers.update(group.HANDLERS)
    admin = build(node)
    engine = node.engine
    engine.set_gate("pause", admin.pause.gate)
    engine.set_gate("monitor", admin.monitors.gate)
    engine.on_slow = partial(_slow, admin)
    node.services.signals.session_reset.connect(partial(admin.monitors.remove, engine))
    node.every(TICK_S, admin.tick)
    _track(node, admin.tracker)
    eviction.plug_in(admin, admin.client_limit)
    follow_options(admin)


def _track(node: NodeView, tracker: Tracker) -> None:
    """Client-side caching; what is broadcast goes out at the end of the loop's turn, behind the replies."""
    engine, signals = node.engine, node.services.signals
    tracker.on_pending = lambda: _soon(tracker.broadcast)
    engine.call_tracked = tracker.call
    engine.set_gate("tracking", tracker.gate)
    engine.on_close.append(tracker.disable)
    signals.session_reset.connect(tracker.disable)
    signals.db_emptied.connect(tracker.flushed)
    node.every(TICK_S, tracker.limit)


def _soon(work: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(work)


def follow_options(admin: Admin) -> None:
    """Put the options in force that are this package's to apply, now and whenever CONFIG SET changes them."""
    config, engine = admin.config, admin.node.engine
    doors = admin.node.services.doors
    config.assign("dir", doors.disk.folder())
    listening, score = Listening(admin.node), OomScore(doors.process, lambda: engine.state.follows)
    title = ProcTitle(admin.node.config_file, doors.process, admin.node.log)
    admin.node.services.keep(title)
    clients = admin.process.raise_file_limit(config.maxclients)
    if clients < config.maxclients:
        admin.node.log.warning("the system allows fewer open files than maxclients needs", maxclients=clients)
        config.assign("maxclients", clients)
    for name, apply in (
        ("dir", partial(_change_folder, doors.disk)),
        ("maxclients", partial(_allow_clients, admin)),
        ("slowlog-log-slower-than", partial(_set_threshold, admin)),
        ("latency-monitor-threshold", partial(_set_threshold, admin)),
        ("port", listening.port_changed),
        ("tls-port", listening.tls_port_changed),
        ("bind", listening.addresses_changed),
        ("http-port", _fixed),
        ("http-bind", _fixed),
        ("oom-score-adj", score.apply),
        ("oom-score-adj-values", score.apply),
        ("proc-title-template", title.changed),
        ("slowlog-max-len", lambda config: admin.slowlog.trim(config.slowlog_max_len)),
        ("notify-keyspace-events", lambda config: notifications.configure(engine, config.notify_keyspace_events)),
    ):
        config.on_change(name, apply)
    for name in TLS_OPTIONS:
        config.on_change(name, admin.node.tls.reconfigure)
    score.apply(config)
    admin.node.starts.append(partial(_name, title, config))
    admin.node.services.signals.role_changed.connect(partial(_score_role, admin, score))
    _set_threshold(admin, config)
    notifications.configure(engine, config.notify_keyspace_events)


def _score_role(admin: Admin, score: OomScore) -> None:
    """A role has its own score; that the system refuses it is no reason to refuse the role."""
    try:
        score.apply(admin.config)
    except ConfigError as failure:
        admin.node.log.warning("oom-score-adj couldn't be put in force", detail=str(failure))


async def _name(title: ProcTitle, config: Config) -> None:
    title.start(config)


def _allow_clients(admin: Admin, config: Config) -> None:
    """maxclients needs as many files, or it is refused with the number that can be had."""
    clients = admin.process.raise_file_limit(config.maxclients)
    if clients < config.maxclients:
        raise ConfigError(
            f"The operating system is not able to handle the specified number of clients, try with {clients}"
        )


def _fixed(config: Config) -> None:
    """An option that is read once."""
    raise ConfigError("it can be changed in the configuration file only, for the next start")


def _change_folder(disk: Disk, config: Config) -> None:
    """`dir` is the working directory, told as an absolute path."""
    try:
        disk.enter(config.dir)
    except OSError as error:
        raise ConfigError(error.strerror or str(error)) from None
    config.assign("dir", disk.folder())


def build(node: NodeView) -> Admin:
    """Make the shared state, and offer it to the other packages."""
    services, process = node.services, Process(node.services.doors)
    admin = Admin(
        node=node,
        process=process,
        evictor=eviction.make(node, process),
        client_limit=ClientLimit(node.engine, node.config),
        slowlog=SlowLog(),
        latency=LatencyMonitor(),
        monitors=Monitors(lambda: node.engine.state.wall_us()),
        pause=Pause(),
        rates=Rates(("commands", "input", "output", "repl_input", "repl_output")),
        shutdown=shutdown.Shutdown(node),
        tracker=Tracker(node.engine, lambda: node.config.tracking_table_max_keys),
    )
    for name, provider in {**sections.SECTIONS, **commands.SECTIONS}.items():
        services.contributions.add_info(name, partial(provider, admin))
    services.administration = admin
    services.keep(admin)
    return admin


def _set_threshold(admin: Admin, config: Config) -> None:
    """Have the executor report calls that the slow log or the latency monitor may want."""
    thresholds = [NEVER_S]
    if config.slowlog_log_slower_than >= 0:
        thresholds.append(config.slowlog_log_slower_than / 1e6)
    if config.latency_monitor_threshold:
        thresholds.append(config.latency_monitor_threshold / 1e3)
    # The executor compares with "greater than", Redis with "at least".
    admin.node.engine.slow_s = min(thresholds) - 1e-7


def _slow(admin: Admin, c: Session, row: Row, args: list[bytes], spent_s: float) -> None:
    """A call took long: log it, and note the spike."""
    duration_us = int(spent_s * 1e6)
    config = admin.config
    now_s = admin.node.engine.state.now_ms // 1000
    admin.note_latency("fast-command" if row.flags & FAST else "command", duration_us // 1000)
    wanted = 0 <= config.slowlog_log_slower_than <= duration_us
    if wanted and config.slowlog_max_len and not row.flags & SKIP_SLOWLOG and not c.attention & ATT_INTERNAL:
        shown = redact(row.name, args)
        admin.slowlog.add(shown, duration_us, now_s, c.address, c.name, config.slowlog_max_len)
