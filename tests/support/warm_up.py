"""Work that every fresh process would repeat, done once before a test process forks."""

import gc
from importlib import import_module

from sqlalchemy.orm import configure_mappers

from paimon.domain.kernel.chain import ContractName
from paimon.infrastructure.blockchain.abi.contract_abi import load_abi


def warm_up() -> None:
    """Map the tables and read the ABIs. Every fork inherits the result.

    The collector must not look at what exists now: a fork would copy each page that it looks at.
    """
    import_module("psycopg")
    configure_mappers()
    for name in ContractName:
        load_abi(name.value)
    gc.freeze()
