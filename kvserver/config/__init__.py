"""Configuration: the option table, and everything that reads or writes options by it."""

from kvserver.config.addresses import BindAddress, bind_address
from kvserver.config.example import example_config
from kvserver.config.kinds import BufferLimit, BufferLimits, ConfigError, Endpoint, SavePoint
from kvserver.config.option import Option
from kvserver.config.parse import CommandLine, Directive, Loaded, fatal, load, parse_command_line
from kvserver.config.rewrite import rewrite
from kvserver.config.store import Config
from kvserver.config.table import BY_NAME, OPTIONS, REDIS_VERSION

__all__ = [
    "BY_NAME",
    "OPTIONS",
    "REDIS_VERSION",
    "BindAddress",
    "BufferLimit",
    "BufferLimits",
    "CommandLine",
    "Config",
    "ConfigError",
    "Directive",
    "Endpoint",
    "Loaded",
    "Option",
    "SavePoint",
    "bind_address",
    "example_config",
    "fatal",
    "load",
    "parse_command_line",
    "rewrite",
]
