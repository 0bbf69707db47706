"""The two links to the signer: its Unix socket on this machine, or TLS 1.3 with pinned certificates from another one."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp


class LinkUnusable(Exception):
    """A file of the link is missing or wrong. The message names the file."""


@dataclass(frozen=True, slots=True)
class SocketLink:
    """The signer's Unix socket; the kernel tells it which user asks."""

    path: Path

    url = "http://signer"

    def connector(self) -> aiohttp.BaseConnector:
        return aiohttp.UnixConnector(path=str(self.path))

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class TlsLink:
    """A signer on another machine. It shows the pinned certificate, and this side shows one that the signer's policy pins."""

    url: str
    server_certificate: Path
    client_certificate: Path
    client_key: Path

    def connector(self) -> aiohttp.BaseConnector:
        """Raises LinkUnusable."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the certificate itself is pinned, under any name
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(self.server_certificate)
            context.load_cert_chain(self.client_certificate, self.client_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(path) for path in (self.server_certificate, self.client_certificate, self.client_key))
            raise LinkUnusable(f"one of {files} does not load: {error}") from error
        return aiohttp.TCPConnector(ssl=context)

    def __str__(self) -> str:
        return self.url


SignerLink = SocketLink | TlsLink
