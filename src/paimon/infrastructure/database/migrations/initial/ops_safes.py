"""Tables of Safes, proposals, signatures and plans."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    NOW,
    address,
    bigint,
    boolean,
    bytea,
    byteas,
    check,
    create_table,
    foreign_key,
    hash32,
    in_values,
    index,
    instant,
    jsonb,
    primary_key,
    smallint,
    text,
    uint256,
    unique,
    uuid,
)


def create_tables() -> None:
    _create_safes()
    _create_safe_proposals()
    _create_safe_signatures()
    _create_plans()
    _create_plan_calls()


def _create_safes() -> None:
    create_table(
        "ops.safes",
        address("address"),
        in_values("name", "warm", "cold"),
        byteas("owners"),
        smallint("threshold"),
        bigint("nonce"),
        bigint("next_nonce"),
        bigint("seen_block"),
        hash32("seen_hash"),
        instant("seen_at", default=NOW),
        instant("failing_since", null=True),
        text("last_error", null=True),
        primary_key("address"),
        check("last_error_with_time", "(failing_since IS NULL) = (last_error IS NULL)"),
        check("nonces_in_order", "next_nonce >= nonce AND nonce >= 0"),
        check("threshold_within_owners", "threshold BETWEEN 1 AND cardinality(owners)"),
    )


def _create_safe_proposals() -> None:
    create_table(
        "ops.safe_proposals",
        hash32("hash"),
        bytea("safe"),
        bigint("nonce"),
        address("to_address"),
        uint256("value_wei"),
        bytea("data"),
        smallint("operation"),
        text("idempotency_key"),
        text("reason"),
        address("proposed_by", null=True),
        instant("created_at", default=NOW),
        instant("expires_at"),
        in_values("outcome", "EXECUTED", "FAILED", "REJECTED", "SUPERSEDED", null=True),
        hash32("executed_tx_hash", null=True),
        instant("closed_at", null=True),
        primary_key("hash"),
        unique("idempotency_key"),
        foreign_key("safe", "ops.safes.address"),
        check("closed_at_with_outcome", "(outcome IS NULL) = (closed_at IS NULL)"),
        check("expires_after_creation", "expires_at > created_at"),
        check("nonce_not_negative", "nonce >= 0"),
        check("operation_known", "operation IN (0, 1)"),
        check("executed_tx_hash_with_outcome", "(outcome IS NULL) = (executed_tx_hash IS NULL)"),
        index("nonce", "safe", "nonce"),
    )


def _create_safe_signatures() -> None:
    create_table(
        "ops.safe_signatures",
        bytea("proposal"),
        address("owner"),
        bytea("signature"),
        boolean("is_contract_signature"),
        address("submitted_by"),
        instant("signed_at", default=NOW),
        primary_key("proposal", "owner"),
        foreign_key("proposal", "ops.safe_proposals.hash"),
        check("signature_length", "is_contract_signature OR octet_length(signature) = 65"),
    )


def _create_plans() -> None:
    create_table(
        "ops.plans",
        uuid("id"),
        text("idempotency_key"),
        hash32("payload_hash"),
        text("name"),
        text("reason"),
        in_values("wallet", "hot", "warm", "cold"),
        uint256("amount"),
        jsonb("rejected_wallets"),
        hash32("proposal", null=True),
        instant("created_at", default=NOW),
        address("requested_by", null=True),
        hash32("nonce", null=True),
        jsonb("typed_data", null=True),
        bytea("signature", null=True),
        instant("signature_expires_at", null=True),
        primary_key("id"),
        unique("idempotency_key"),
        unique("nonce"),
        unique("proposal"),
        foreign_key("proposal", "ops.safe_proposals.hash"),
        check("proposal_unless_hot", "(wallet = 'hot') = (proposal IS NULL)"),
        check(
            "signed_action_complete", "num_nonnulls(requested_by, nonce, typed_data, signature, signature_expires_at) IN (0, 5)"
        ),
        index("created_at", "created_at", "id"),
        index("name", "name"),
        index("wallet", "wallet", "created_at"),
    )


def _create_plan_calls() -> None:
    create_table(
        "ops.plan_calls",
        uuid("plan_id"),
        smallint("call_index"),
        in_values("contract", "Vault", "RedemptionManager", "AssetController", "OTCManager", "ERC20"),
        text("function"),
        text("description"),
        address("to_address"),
        bytea("data"),
        uint256("amount"),
        uuid("intent_id", null=True),
        primary_key("plan_id", "call_index"),
        unique("intent_id"),
        foreign_key("intent_id", "ops.transaction_intents.id"),
        foreign_key("plan_id", "ops.plans.id"),
        check("call_index_not_negative", "call_index >= 0"),
    )
