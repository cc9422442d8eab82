"""A private certificate authority, as companies have one, and what clients and servers need of it as files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Authority:
    """An authority whose certificate is in `ca_file`; no machine trusts it by itself."""

    ca: trustme.CA
    directory: Path

    @classmethod
    def made(cls, directory: Path) -> Authority:
        """Make one and write its certificate into `directory`."""
        authority = cls(trustme.CA(), directory)
        authority.ca.cert_pem.write_to_path(authority.ca_file)
        return authority

    @property
    def ca_file(self) -> Path:
        """The certificate that clients trust."""
        return self.directory / "ca.pem"

    def server(self, *names: str, wants_client: bool = False) -> ssl.SSLContext:
        """Return what a server speaks TLS with, under these names or addresses; `wants_client`: mutual TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        if wants_client:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, name: str) -> tuple[Path, Path]:
        """Return the certificate and the key of a client, in two files."""
        made = self.ca.issue_cert(name)
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        made.cert_chain_pems[0].write_to_path(certificate)
        made.private_key_pem.write_to_path(key)
        return certificate, key
