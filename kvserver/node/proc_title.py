"""What the process is called in ps and top: set-proc-title and proc-title-template (a shell around one library)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kvserver.config import Config, ConfigError
from kvserver.doors import Process


class ProcTitle:
    """Keeps the title as the options want it."""

    def __init__(self, config_file: str, process: Process, log: Any) -> None:
        self._process = process
        self.mode = ""  # "[sentinel]"
        self._config_file = config_file
        self._log = log

    def start(self, config: Config) -> None:
        """Name the process for the first time."""
        if config.set_proc_title and not self._process.titled:
            self._log.info("the process keeps its name: the package setproctitle isn't installed")
        self.apply(config)

    def changed(self, config: Config) -> None:
        """Another template: ConfigError when it means nothing."""
        if not expand(config.proc_title_template, self._values(config)):
            raise ConfigError("template format is invalid or contains unknown variables")
        self.apply(config)

    def apply(self, config: Config) -> None:
        """Name the process, if that is wanted and possible."""
        title = expand(config.proc_title_template, self._values(config))
        if config.set_proc_title and title:
            self._process.set_title(title)

    def _values(self, config: Config) -> dict[str, str]:
        port = config.port or config.tls_port
        address = config.bind[0] if config.bind else "*"
        return {
            "title": called(sys.argv[0]),
            "listen-addr": f"{address}:{port}" if port else f"unixsocket:{config.unixsocket}",
            "server-mode": self.mode,
            "port": str(config.port),
            "tls-port": str(config.tls_port),
            "unixsocket": config.unixsocket,
            "config-file": self._config_file or "-",
        }


def called(program: str) -> str:
    """The name by which the program was called; as a module of Python it has its package's."""
    path = Path(program)
    return path.parent.name if path.name == "__main__.py" else program


def expand(template: str, values: Mapping[str, str]) -> str:
    """Fill a template's {names} in; {{ is a brace. "" when it isn't well-formed, or names what isn't there."""
    out = ""
    while template:
        text, brace, template = template.partition("{")
        out += text
        if brace and template.startswith("{"):
            out += "{"
            template = template[1:]
        elif brace:
            name, end, template = template.partition("}")
            if not end or name not in values:
                return ""
            out += values[name]
    return out.strip(" ")
