"""The policy's tables of callers: who may ask this signer for signatures, and over which link.

    [callers]                                    # over the socket, on this machine
    users = ["paimon-worker"]                    # names or numbers of users; every other user is refused
    group = "paimon-signer"                      # the socket's group: both users are members; without it the mode is 0600
    # allow_same_user = true                     # for a demo: the signer's own user may call, so nothing protects its files

    [tls]                                        # from another machine: TLS 1.3, both sides show a pinned certificate
    host = "10.0.0.5"
    port = 9443
    certificate = "server.crt"
    private_key = "server.key"

    [[tls.clients]]
    name = "worker-1"
    certificate = "worker-1.crt"
    sha256 = "AB:CD:…"                           # openssl x509 -in worker-1.crt -noout -fingerprint -sha256

A caller can ask for what the policy allows, and nothing else: it cannot read the keys nor write policy or ledger. The signer
checks that at its start (file_access.py).
"""

import grp
import hashlib
import os
import pwd
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class CallerError(Exception):
    """A caller of the policy cannot be allowed. The message says which, and what to change."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _fingerprint(text: str) -> str:
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return digits


class CallersTable(_Table):
    users: tuple[str | int, ...] = ()
    group: str | int | None = None
    allow_same_user: bool = False

    @model_validator(mode="after")
    def _has_a_group_for_users(self) -> Self:
        if self.group is not None and not self.users:
            raise ValueError("a group opens the socket to its members, and users says which of them may ask: add users")
        if self.users and self.group is None:
            raise ValueError("users other than the signer's own reach the socket by a group only: add group")
        return self

    @property
    def is_empty(self) -> bool:
        return not self.users and not self.allow_same_user


class TlsClientTable(_Table):
    name: str = Field(min_length=1)
    certificate: Path
    sha256: Annotated[str, AfterValidator(_fingerprint)]


class TlsTable(_Table):
    host: str = Field(min_length=1, description="the address to listen on")
    port: int = Field(ge=1, le=65_535)
    certificate: Path
    private_key: Path
    clients: tuple[TlsClientTable, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _clients_differ(self) -> Self:
        if len({client.name for client in self.clients}) != len(self.clients):
            raise ValueError("two clients have the same name")
        return self

    def in_folder(self, folder: Path) -> "TlsTable":
        """Return the table with paths relative to this folder."""
        clients = tuple(client.model_copy(update={"certificate": folder / client.certificate}) for client in self.clients)
        files = {"certificate": folder / self.certificate, "private_key": folder / self.private_key}
        return self.model_copy(update=files | {"clients": clients})


@dataclass(frozen=True, slots=True)
class LocalCaller:
    """A user of this machine that may ask, with all groups it may be in."""

    name: str
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return f"{self.name} (uid {self.uid})"


def socket_group(table: CallersTable) -> int | None:
    """Return the number of the socket's group.

    Raises:
        CallerError: this machine does not know the group.
    """
    if table.group is None or isinstance(table.group, int):
        return table.group
    try:
        return grp.getgrnam(table.group).gr_gid
    except KeyError:
        raise CallerError(f"callers.group: there is no group {table.group}; run: groupadd --system {table.group}") from None


def local_callers(table: CallersTable) -> tuple[LocalCaller, ...]:
    """Return the users that may ask over the socket, without the signer's own.

    Raises:
        CallerError: a user is unknown, root, or the signer's own.
    """
    group = socket_group(table)
    # A service manager can put a process into the socket's group without an entry in the group file.
    assumed = frozenset() if group is None else frozenset({group})
    return tuple(_local_caller(user, assumed) for user in table.users)


def _local_caller(user: str | int, assumed: frozenset[int]) -> LocalCaller:
    try:
        entry = pwd.getpwuid(user) if isinstance(user, int) else pwd.getpwnam(user)
    except KeyError:
        if isinstance(user, str):
            raise CallerError(f"callers.users: there is no user {user}; run: useradd --system {user}") from None
        caller = LocalCaller(str(user), user, assumed)
    else:
        groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
        caller = LocalCaller(entry.pw_name, entry.pw_uid, groups | assumed)
    if caller.uid == 0:
        raise CallerError("callers.users: root can read every key and write the policy; let the worker run as an ordinary user")
    if caller.uid == os.geteuid():
        raise CallerError(
            f"callers.users: {caller} is the signer's own user, who can read the keys and write policy and ledger: run the"
            " signer as a user of its own (a demo states `allow_same_user = true` instead)"
        )
    return caller


def pinned_clients(table: TlsTable) -> dict[str, str]:
    """Return the names of the TLS clients by the fingerprint of their certificate.

    Raises:
        CallerError: a file is missing, holds no certificate, or another one than the policy states.
    """
    clients = {}
    for client in table.clients:
        found = fingerprint(certificate_der(client.certificate))
        if found != client.sha256:
            raise CallerError(
                f"tls.clients: {client.certificate} has the SHA-256 fingerprint {found}, the policy states {client.sha256}"
            )
        clients[found] = client.name
    return clients


def certificate_der(path: Path) -> bytes:
    """Return the one certificate of a PEM file.

    Raises:
        CallerError
    """
    try:
        return ssl.PEM_cert_to_DER_cert(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise CallerError(f"{path} is no certificate in PEM form: {error}") from error


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 fingerprint as lower-case hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


def server_context(table: TlsTable) -> ssl.SSLContext:
    """Build the context of the TLS server: TLS 1.3, and no client but one that holds the key of a pinned certificate.

    Raises:
        CallerError: a certificate or the private key does not load.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # each pinned certificate is trusted by itself, under any issuer
    context.num_tickets = 0  # every connection shows its certificate
    try:
        context.load_cert_chain(table.certificate, table.private_key)
        for client in table.clients:
            context.load_verify_locations(client.certificate)
    except (OSError, ssl.SSLError) as error:
        raise CallerError(
            f"tls: {table.certificate}, {table.private_key} or a client's certificate does not load: {error}"
        ) from error
    return context
