"""Authorities and certificates for TLS, made with the openssl program."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.peers import require_peer

_CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]


def _openssl(*args: object) -> None:
    done = subprocess.run([require_peer("openssl"), *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Certificate:
    """A certificate, its key, and that of the authority that stands for it."""

    cert: Path
    key: Path
    authority: Path

    def options(self) -> dict[str, Any]:
        """A server's options."""
        return {"tls_cert_file": self.cert, "tls_key_file": self.key, "tls_ca_cert_file": self.authority}

    def redis_py(self) -> dict[str, Any]:
        """Options of a redis-py client that shows this certificate."""
        return {**self.anonymous(), "ssl_certfile": str(self.cert), "ssl_keyfile": str(self.key)}

    def anonymous(self) -> dict[str, Any]:
        """Options of a redis-py client that shows none, and verifies the server's by this one's authority."""
        return {"ssl": True, "ssl_ca_certs": str(self.authority), "ssl_check_hostname": True}

    def redis_cli(self) -> Sequence[str]:
        """Arguments of redis-cli."""
        return ["--tls", "--cacert", str(self.authority), "--cert", str(self.cert), "--key", str(self.key)]


class Authority:
    """Issues certificates for 127.0.0.1, its files in `folder`.

    `proper`: its own has what RFC 5280 demands of an authority. From Python 3.13 on clients that verify with
    `ssl.create_default_context` refuse any other; Redis and OpenSSL by themselves don't.
    """

    def __init__(self, folder: Path, name: str, proper: bool = True) -> None:
        self.folder = folder
        self.name = name
        self.cert = folder / f"{name}.crt"
        self._key = folder / f"{name}.key"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"] if proper else []
        _openssl("req", "-x509", *_CURVE, "-nodes", "-keyout", self._key, "-out", self.cert, "-days", 2,
                 "-subj", f"/CN={name}", *usage)

    def issue(self, name: str, password: str = "") -> Certificate:
        """A new certificate and key; with a password the key is encrypted."""
        base = self.folder / f"{self.name}-{name}"
        request, cert, key, extra = (base.with_suffix(ending) for ending in (".csr", ".crt", ".key", ".ext"))
        secrecy = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        extra.write_text(
            "subjectAltName=IP:127.0.0.1,DNS:localhost\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        _openssl("req", "-new", *_CURVE, *secrecy, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        _openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self._key, "-CAcreateserial",
                 "-days", 2, "-extfile", extra, "-out", cert)
        return Certificate(cert, key, self.cert)
