"""Plugs scripting into a data node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kvserver import logs
from kvserver.engine.run.session import Session
from kvserver.errors import CommandError
from kvserver.scripting import queued
from kvserver.scripting.busy import Busy
from kvserver.scripting.debugger.debugger import TIMEOUT_S
from kvserver.scripting.debugger.socket import open_socket
from kvserver.scripting.eval_commands import HANDLERS
from kvserver.scripting.host import Host, host_of
from kvserver.scripting.pump import Pump
from kvserver.scripting.running import GO_ON, Running
from kvserver.wire.numbers import human
from kvserver.wire.resp import OK

if TYPE_CHECKING:
    from kvserver.node.node import Node

_LEVELS = ("debug", "debug", "info", "warning")


def attach(node: Node) -> None:
    """Add the scripting engine and its commands to the node."""
    engine = node.engine
    host = Host(engine, node.services.clock.perf)
    node.services.scripting = host
    node.handlers.update(HANDLERS)
    node.services.contributions.add_info("memory", partial(_memory, host))
    node.services.contributions.debug[b"SET-DISABLE-DENY-SCRIPTS"] = _disable_deny
    busy = Busy(host, Pump(node.server, lambda: node.listeners))
    engine.set_gate("busy", busy.gate)
    scripts = queued.QueuedScripts(host)
    engine.set_gate("exec-scripts", scripts.gate)
    host.promise = scripts.promises_no_writes
    host.api.on_tick = busy.tick
    host.open_channel = partial(open_socket, node.server, partial(_ended, host))
    engine.on_close.append(partial(_forget, host))
    config = node.config
    host.deprecated = config.lua_enable_deprecated_api

    def follow(changed: object) -> None:
        busy.threshold_s = config.busy_reply_threshold / 1000
        host.debugger.threshold_s = busy.threshold_s or TIMEOUT_S

    config.on_change("busy-reply-threshold", follow)
    follow(config)
    log = logs.get("script")
    busy.on_slow = lambda running, spent_ms: log.warning(_slow(running, spent_ms))
    host.api.on_log = lambda level, text: getattr(log, _LEVELS[level])(text)


def _slow(running: Running, spent_ms: int) -> str:
    """Redis's words, which tools look for."""
    command = "FUNCTION KILL" if running.is_function else "SCRIPT KILL"
    name = running.name.decode("utf-8", "backslashreplace")
    return (
        f"Slow script detected: still in execution after {spent_ms} milliseconds. You can try killing the script "
        f"using the {command} command. Script name is: {name}."
    )


def _forget(host: Host, session: Session) -> None:
    host.debug_modes.pop(session.id, None)


def _ended(host: Host) -> bool:
    """Look after the others while a script is debugged; whether it must end."""
    return host.api.tick() != GO_ON


def _memory(host: Host) -> list[tuple[str, object]]:
    """The lines of INFO memory."""
    used = host.used_bytes()  # of the one interpreter that runs scripts and functions
    scripts = sum(len(script.body) for script in host.scripts.values())
    functions = sum(len(library.code) for library in host.libraries.by_name.values())
    return [
        ("used_memory_lua", used),
        ("used_memory_lua_human", human(used)),
        ("used_memory_vm_eval", used),
        ("used_memory_vm_functions", 0),
        ("used_memory_vm_total", used),
        ("used_memory_vm_total_human", human(used)),
        ("used_memory_scripts_eval", scripts),
        ("used_memory_functions", functions),
        ("used_memory_scripts", scripts + functions),
        ("used_memory_scripts_human", human(scripts + functions)),
        ("number_of_cached_scripts", len(host.scripts)),
        ("number_of_functions", len(host.libraries.functions)),
        ("number_of_libraries", len(host.libraries.by_name)),
    ]


def _disable_deny(c: Session, a: list[bytes]) -> bytes:
    """DEBUG SET-DISABLE-DENY-SCRIPTS <0|1>: let scripts run any command; a tool for tests."""
    if len(a) != 3:
        raise CommandError("ERR wrong number of arguments for 'debug' command")
    host_of(c).api.deny_scripts = a[2] != b"1"
    return OK
