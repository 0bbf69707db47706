"""Tables of what was read from the chain."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    NOW,
    address,
    bigint,
    bytea,
    byteas,
    check,
    create_table,
    foreign_key,
    hash32,
    in_values,
    index,
    instant,
    integer,
    jsonb,
    no_overlap,
    primary_key,
    serial,
    smallint,
    text,
    texts,
    uint256,
    unique,
    unique_index,
)


def create_tables() -> None:
    _create_blocks()
    _create_cursor()
    _create_raw_logs()
    _create_range_proofs()
    _create_transactions()
    _create_tracked_contracts()
    _create_observations()


def _create_blocks() -> None:
    create_table(
        "derived.blocks",
        bigint("number"),
        hash32("hash"),
        hash32("parent_hash"),
        instant("timestamp"),
        instant("recorded_at", default=NOW),
        bigint("previous_kept_number"),
        primary_key("number"),
        unique("hash"),
        check("previous_recorded_block_is_earlier", "previous_kept_number < number"),
    )


def _create_cursor() -> None:
    create_table(
        "derived.cursor",
        smallint("id"),
        bigint("number"),
        hash32("hash"),
        instant("timestamp"),
        bigint("epoch"),
        primary_key("id"),
        check("single_row", "id = 1"),
    )


def _create_raw_logs() -> None:
    create_table(
        "derived.raw_logs",
        bigint("block_number"),
        integer("log_index"),
        hash32("block_hash"),
        hash32("tx_hash"),
        integer("tx_index"),
        address("address"),
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        byteas("topics"),
        bytea("data"),
        text("event", null=True),
        jsonb("args", null=True),
        uint256("request_id", checked=False, null=True),
        in_values("status", "APPLIED", "UNKNOWN", "QUARANTINED", "SKIPPED"),
        text("reason", null=True),
        primary_key("block_number", "log_index"),
        unique("block_hash", "log_index"),
        foreign_key("block_number", "derived.blocks.number", on_delete="CASCADE"),
        check("reason_when_quarantined", "(status = 'QUARANTINED') = (reason IS NOT NULL)"),
        index("request", "request_id", "block_number", "log_index", where="request_id IS NOT NULL"),
        index("unapplied", "block_number", where="status IN ('QUARANTINED', 'SKIPPED')"),
        index("tx_hash", "tx_hash"),
    )


def _create_range_proofs() -> None:
    create_table(
        "derived.range_proofs",
        bigint("first_block"),
        bigint("last_block"),
        in_values("level", "none", "chained", "agreed", "receipts"),
        primary_key("first_block"),
        check("blocks_in_order", "first_block <= last_block"),
        no_overlap("blocks", "int8range(first_block, last_block, '[]')"),
    )


def _create_transactions() -> None:
    create_table(
        "derived.transactions",
        bigint("block_number"),
        integer("tx_index"),
        hash32("tx_hash"),
        instant("at"),
        integer("logs"),
        texts("contracts"),
        texts("events"),
        primary_key("block_number", "tx_index"),
        check("has_logs", "logs > 0 AND cardinality(contracts) > 0"),
        index("at", "at"),
        index("contracts", "contracts", using="gin"),
        index("events", "events", using="gin"),
        index("tx_hash", "tx_hash", unique=True),
    )


def _create_tracked_contracts() -> None:
    create_table(
        "derived.tracked_contracts",
        address("address"),
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        in_values("origin", "settings", "vault_asset", "event"),
        bigint("since_block"),
        primary_key("address"),
        check("vault_asset_is_erc20", "origin <> 'vault_asset' OR contract = 'ERC20'"),
        check("core_from_settings", "(origin = 'settings') = (contract IN ('Vault','RedemptionManager','AssetController'))"),
        unique_index("asset", "origin", where="origin = 'vault_asset'"),
        unique_index("core", "contract", where="origin = 'settings'"),
    )


def _create_observations() -> None:
    create_table(
        "derived.observations",
        serial("id"),
        text("kind"),
        text("subject"),
        bigint("block_number"),
        hash32("block_hash"),
        instant("block_timestamp"),
        jsonb("data"),
        primary_key("id"),
        unique("kind", "subject", "block_hash"),
        index("block_number", "block_number"),
        index("latest", "kind", "subject", "block_number"),
    )
