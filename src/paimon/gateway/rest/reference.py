"""The OpenAPI document without a running API: `docs/reference/openapi.json` is made from it (`make reference`)."""

import json
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from pydantic import SecretStr

from paimon.gateway.rest.app import create_app
from paimon.settings import Settings

_ADDRESS: Final = "0x" + "11" * 20
_PLACEHOLDERS: Final[dict[str, Any]] = {
    "database": {"url": "postgresql+psycopg://app@localhost/paimon"},
    "redis": {"url": "redis://localhost", "integrity_key": SecretStr("a placeholder of at least 32 bytes")},
    "chain": {"chain_id": 31337, "rpc_url": "http://localhost"},
    "fund": {"vault": _ADDRESS, "redemption_manager": _ADDRESS, "asset_controller": _ADDRESS, "start_block": 1},
    "sending": {"keeper": _ADDRESS, "approver": _ADDRESS},
    "signer": {"socket": Path("signer.sock")},
    "auth": {
        "token_secret": SecretStr("a placeholder of at least 32 bytes"),
        "personal_data_secret": SecretStr("a placeholder of at least 32 bytes"),
        "domain": "localhost",
        "uri": "http://localhost",
    },
}
"""Settings that have no default. The document holds none of them."""


def create_reference_app() -> FastAPI:
    """Create the application with placeholders as settings. It cannot be started, only described."""
    return create_app(Settings(**_PLACEHOLDERS))


def openapi_reference() -> str:
    """Return the OpenAPI document as JSON of one line per value."""
    return json.dumps(create_reference_app().openapi(), indent=1, ensure_ascii=False) + "\n"
