"""Write a policy file from a program: for the demo and for tests."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from paimon.domain.kernel.chain import checksum
from paimon.gateway.signer.policy import SignerPolicy


def write_policy(path: Path, policy: SignerPolicy) -> None:
    """Write or replace the file in one step, readable by its owner only."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(_as_toml(policy))
    draft.replace(path)


def _as_toml(policy: SignerPolicy) -> str:
    own_tables = {
        "callers", "tls", "leases", "contracts", "caps", "approvals", "kms", "gcp_kms", "finality", "keys", "plan_signers",
        "safes",
    }  # fmt: skip
    top = policy.model_dump(mode="json", exclude=own_tables, exclude_none=True)
    top["rpc_url"], *top["extra_rpc_urls"] = policy.rpc_urls
    tables: list[tuple[str, dict[str, Any]]] = [
        ("", top),
        ("[callers]", policy.callers.model_dump(mode="json", exclude_none=True)),
        ("[contracts]", {name: checksum(address) for name, address in policy.contracts}),
        ("[caps]", policy.caps.model_dump()),
        ("[approvals]", policy.approvals.model_dump(mode="json", exclude_none=True)),
    ]
    for name, table in (("[kms]", policy.kms), ("[gcp_kms]", policy.gcp_kms), ("[finality]", policy.finality)):
        if table is not None:
            tables.append((name, table.model_dump(mode="json", exclude_none=True)))
    if policy.leases is not None:
        leases = policy.leases.model_dump() | {"database_url": policy.leases.database_url.get_secret_value()}
        tables.append(("[leases]", leases))
    if policy.tls is not None:
        tls = policy.tls.model_dump(mode="json")
        tables += [("[tls]", tls), *(("[[tls.clients]]", client) for client in tls.pop("clients"))]
    lists: list[tuple[str, Sequence[BaseModel]]] = [
        ("[[keys]]", policy.keys),
        ("[[plan_signers]]", policy.plan_signers),
        ("[[safes]]", policy.safes),
    ]
    for header, rows in lists:
        for row in rows:
            fields = row.model_dump(mode="json", exclude_none=True)
            tables.append((header, fields | ({"functions": sorted(fields["functions"])} if "functions" in fields else {})))
    return "\n".join(line for header, fields in tables for line in _lines(header, fields)).lstrip() + "\n"


def _lines(header: str, fields: dict[str, Any]) -> list[str]:
    # Strings, numbers and arrays have one syntax in JSON and TOML.
    return [header, *(f"{name} = {json.dumps(value)}" for name, value in fields.items()), ""]
