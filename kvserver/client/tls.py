"""TLS contexts, made from the options and replaced as a whole when one of them changes.

An `ssl.SSLContext` can't forget: authorities once trusted stay trusted. So a change builds new contexts from
nothing. If that fails the old ones stay in force; if not, the next handshake uses the new ones, and connections
that are up keep what they agreed on. Redis's rules hold: clients are asked for certificates as tls-auth-clients
says; towards a primary, a sentinel's nodes and peers, or MIGRATE's target, the other's certificate has to come
from a trusted authority, but may bear any name, as these are known by address.
"""

from __future__ import annotations

import ssl
import warnings
from typing import Any

from kvserver.config import Config, ConfigError
from kvserver.doors import Disk

OPTIONS = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-client-cert-file",
    "tls-client-key-file",
    "tls-client-key-file-pass",
    "tls-dh-params-file",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-prefer-server-ciphers",
    "tls-replication",
    "tls-cluster",
)
"""The options that contexts are made from, and those that may ask for the first ones."""
_VERIFY = {"no": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "yes": ssl.CERT_REQUIRED}
_DEFAULT_PROTOCOLS = "TLSv1.2 TLSv1.3"
_DEFAULT_CIPHERS = "DEFAULT"
"""OpenSSL's own choice, as with Redis; Python's is narrower."""


class TlsError(OSError):
    """TLS can't be had with these options; the text names the option or the file, and the reason."""


class Tls:
    """The contexts in force: None until an option asks for TLS."""

    def __init__(self, config: Config, log: Any, disk: Disk) -> None:
        self._disk = disk
        self.incoming: ssl.SSLContext | None = None
        self._outgoing: ssl.SSLContext | None = None
        self._config = config
        self._log = log

    def configure(self) -> None:
        """Build contexts from the options, if any asks for TLS. Raises TlsError, and changes nothing then."""
        config = self._config
        if config.tls_port or config.tls_replication or config.tls_cluster:
            self.incoming = incoming_context(config, self._disk)
            self._outgoing = outgoing_context(config, self._disk)

    def reconfigure(self, config: Config) -> None:
        """An option has changed; raises ConfigError, and the contexts stay as they were."""
        try:
            self.configure()
        except TlsError as error:
            self._log.warning("TLS options are refused", reason=str(error))
            raise ConfigError("Unable to update TLS configuration. Check server logs.") from None

    def for_replication(self) -> ssl.SSLContext | None:
        """What to speak with towards other nodes and sentinels; None: no TLS."""
        return self._outgoing if self._config.tls_replication else None

    def for_migration(self) -> ssl.SSLContext | None:
        """What to speak with towards the target of MIGRATE; None: no TLS."""
        return self._outgoing if self._config.tls_cluster else None


def incoming_context(config: Config, disk: Disk) -> ssl.SSLContext:
    """For clients, replicas and sentinels that connect. Raises TlsError."""
    _demand(config)
    context = _common(ssl.PROTOCOL_TLS_SERVER, config, disk)
    context.verify_mode = _VERIFY[config.tls_auth_clients]
    _load(context, disk, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_SINGLE_DH_USE
    if config.tls_prefer_server_ciphers:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if config.tls_dh_params_file:
        try:
            context.load_dh_params(str(disk.path(config.tls_dh_params_file)))
        except OSError as error:
            raise TlsError(f"tls-dh-params-file {config.tls_dh_params_file}: {_reason(error)}") from None
    return context


def outgoing_context(config: Config, disk: Disk) -> ssl.SSLContext:
    """For connections that this process makes. Raises TlsError."""
    _demand(config)
    context = _common(ssl.PROTOCOL_TLS_CLIENT, config, disk)
    if config.tls_client_cert_file and config.tls_client_key_file:
        _load(context, disk, config.tls_client_cert_file, config.tls_client_key_file, config.tls_client_key_file_pass)
    else:
        _load(context, disk, config.tls_cert_file, config.tls_key_file, config.tls_key_file_pass)
    return context


def _demand(config: Config) -> None:
    """What must be there."""
    if not config.tls_cert_file:
        raise TlsError("no tls-cert-file configured")
    if not config.tls_key_file:
        raise TlsError("no tls-key-file configured")
    verifies = config.tls_auth_clients != "no" or config.tls_replication or config.tls_cluster
    if verifies and not config.tls_ca_cert_file and not config.tls_ca_cert_dir:
        raise TlsError(
            "tls-ca-cert-file or tls-ca-cert-dir must be configured while tls-auth-clients, tls-replication or "
            "tls-cluster has peers verified"
        )


def _common(side: int, config: Config, disk: Disk) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.check_hostname = False
    # OpenSSL's own rules, as with Redis, whatever a later Python adds: homemade authorities often lack what the
    # strict ones ask for.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    _offer(context, config.tls_protocols or _DEFAULT_PROTOCOLS)
    try:
        context.set_ciphers(config.tls_ciphers or _DEFAULT_CIPHERS)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(f"tls-ciphers {config.tls_ciphers}: {_reason(error)}") from None
    file, folder = config.tls_ca_cert_file or None, config.tls_ca_cert_dir or None
    if file or folder:
        try:
            context.load_verify_locations(file and disk.path(file), folder and disk.path(folder))
        except (OSError, ValueError) as error:
            raise TlsError(f"tls-ca-cert-file {file}, tls-ca-cert-dir {folder}: {_reason(error)}") from None
    return context


def _offer(context: ssl.SSLContext, text: str) -> None:
    """Switch every version of TLS off that `text` doesn't name."""
    words = set(text.lower().split())
    with warnings.catch_warnings():
        # Python advises against the old versions, and against single switches; the operator has decided.
        warnings.simplefilter("ignore", DeprecationWarning)
        switches = {
            "tlsv1": ssl.OP_NO_TLSv1,
            "tlsv1.1": ssl.OP_NO_TLSv1_1,
            "tlsv1.2": ssl.OP_NO_TLSv1_2,
            "tlsv1.3": ssl.OP_NO_TLSv1_3,
        }
        if not words or words - set(switches):
            raise TlsError(f"tls-protocols {text}: use any of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        for name, switch in switches.items():
            if name not in words:
                context.options |= switch


def _load(context: ssl.SSLContext, disk: Disk, certificate: str, key: str, password: bytes) -> None:
    # Without a password OpenSSL would ask for one on the terminal; an empty one doesn't open anything.
    try:
        context.load_cert_chain(disk.path(certificate), disk.path(key), password)
    except (OSError, ValueError) as error:
        raise TlsError(f"certificate {certificate}, key {key}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
