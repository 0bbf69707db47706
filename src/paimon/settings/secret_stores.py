"""Secrets that a setting names instead of holding them: `secret://STORE/NAME#KEY`.

    secret://file/run/secrets/paimon#database_url      a file; with a key, one member of the JSON object in it
    secret://aws/prod/paimon#database_url              AWS Secrets Manager: the name or ARN, and a member of its JSON object
    secret://vault/kv/prod/paimon#database_url         HashiCorp Vault, KV version 2: mount, path, and a member of its data

A process reads its secrets once, when it starts: a secret that changes counts from the next start. The environment variables
of the store's own tools say where it is and who asks. Errors name the secret, the store and the reason, never what it answered.
"""

import json
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

SCHEME: Final = "secret://"
_TIMEOUT_SECONDS: Final = 5
_BYTES_MAX: Final = 1_000_000
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class SecretUnavailable(ValueError):
    """A secret that a setting names cannot be had. A ValueError, so that the settings name the variable with it."""


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is. `key` is a member of the JSON object that the store has under the name; None is the whole text."""

    store: str
    name: str
    key: str | None

    @classmethod
    def parse(cls, text: str) -> "SecretReference":
        """Parse `secret://STORE/NAME#KEY`. Raises SecretUnavailable."""
        store, _, rest = text.removeprefix(SCHEME).partition("/")
        name, _, key = rest.partition("#")
        if store not in _STORES or not name:
            stores = ", ".join(_STORES)
            raise SecretUnavailable(f"{text} is no secret's name: write secret://STORE/NAME#KEY, STORE one of {stores}")
        return cls(store, name, key or None)

    def __str__(self) -> str:
        return f"{SCHEME}{self.store}/{self.name}" + (f"#{self.key}" if self.key else "")


def read_secret(text: str) -> str:
    """Return the secret that `secret://STORE/NAME#KEY` names.

    Raises:
        SecretUnavailable: the name is malformed, the store does not answer or refuses, or it has no such secret or key.
    """
    reference = SecretReference.parse(text)
    try:
        found = _read_once(reference.store, reference.name)
    except SecretUnavailable as error:
        raise SecretUnavailable(f"{reference} cannot be had: {error}") from None
    if reference.key is None:
        return found
    return _member(reference, found)


def forget_secrets() -> None:
    """Keep nothing of what was read; the settings hold what they need."""
    _read_once.cache_clear()


def _member(reference: SecretReference, text: str) -> str:
    try:
        members = json.loads(text)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise SecretUnavailable(f"{reference} cannot be had: what the store has there is no JSON object, so it has no keys")
    if not isinstance(value := members.get(reference.key), str):
        listed = ", ".join(sorted(name for name, member in members.items() if isinstance(member, str))) or "none"
        raise SecretUnavailable(f"{reference} cannot be had: there is no such key with a text; keys with one: {listed}")
    return value


@lru_cache(maxsize=64)
def _read_once(store: str, name: str) -> str:
    """Read a secret once, however many settings name its keys."""
    return _STORES[store](name)


def _read_file(name: str) -> str:
    try:
        return Path("/", name).read_text(encoding="utf-8").removesuffix("\n")
    except OSError as error:
        raise SecretUnavailable(f"the file cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretUnavailable("the file is no UTF-8 text") from None


def _read_aws(name: str) -> str:
    try:
        import boto3  # the extra `secrets-aws`
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        from paimon.settings.aws_answers import bound_answers
    except ImportError:
        raise SecretUnavailable("boto3 is not installed: pip install 'paimon[secrets-aws]'") from None
    config = Config(connect_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS, retries={"total_max_attempts": 3})
    try:
        client = bound_answers(boto3.client("secretsmanager", config=config))
        answer: Mapping[str, Any] = client.get_secret_value(SecretId=name)
    except ClientError as error:
        raise SecretUnavailable(f"AWS Secrets Manager refused it: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise SecretUnavailable(f"AWS Secrets Manager cannot be asked: {type(error).__name__}") from None
    if "SecretString" not in answer:
        raise SecretUnavailable("the secret in AWS Secrets Manager is binary, not a text")
    return str(answer["SecretString"])


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the token to a host that no person named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _read_vault(name: str) -> str:
    mount, _, path = name.partition("/")
    if not path:
        raise SecretUnavailable("a secret in Vault has a mount and a path: secret://vault/MOUNT/PATH#KEY")
    address = _vault_address()
    headers = {"X-Vault-Token": _vault_token(), "X-Vault-Request": "true"}
    if namespace := os.environ.get("VAULT_NAMESPACE"):
        headers["X-Vault-Namespace"] = namespace
    request = urllib.request.Request(f"{address}/v1/{quote(mount)}/data/{quote(path)}", headers=headers)  # noqa: S310 — checked
    tls = ssl.create_default_context(cafile=os.environ.get("VAULT_CACERT") or None)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls), _NoRedirects
    )
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            body = answer.read(_BYTES_MAX + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise SecretUnavailable(f"Vault answered {error.code}{_VAULT_REASONS.get(error.code, '')}") from None
    except (OSError, ValueError) as error:
        raise SecretUnavailable(f"Vault cannot be asked at {address}: {_reason(error)}") from None
    return _vault_data(body)


_VAULT_REASONS: Final = {
    400: ": the request is malformed",
    403: ": the token is not valid, or its policy does not let it read this path",
    404: ": there is no such secret, or its newest version is deleted",
    503: ": it is sealed or in maintenance",
}


def _vault_data(body: bytes) -> str:
    try:
        data = json.loads(body)["data"]["data"] if len(body) <= _BYTES_MAX else None
    except (ValueError, KeyError, TypeError):
        data = None
    if not isinstance(data, dict):
        raise SecretUnavailable("what Vault answered is no secret of a KV engine of version 2")
    return json.dumps(data)


def _vault_address() -> str:
    address = os.environ.get("VAULT_ADDR", "").rstrip("/")
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return address
    raise SecretUnavailable("VAULT_ADDR must be an https:// URL, or an http:// one of this machine")


def _vault_token() -> str:
    """Return the token as Vault's own command finds it, or where an agent writes it (VAULT_TOKEN_FILE)."""
    if token := os.environ.get("VAULT_TOKEN"):
        return token
    path = Path(os.environ.get("VAULT_TOKEN_FILE") or Path.home() / ".vault-token")
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise SecretUnavailable(f"there is no token: set VAULT_TOKEN, or write one to {path} (VAULT_TOKEN_FILE)") from None


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return getattr(cause, "strerror", None) or type(cause).__name__


_STORES: Final[Mapping[str, Callable[[str], str]]] = {"file": _read_file, "aws": _read_aws, "vault": _read_vault}
