"""Tables of sending: wallets, intents, attempts and operator actions."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    NOW,
    RANDOM_UUID,
    address,
    bigint,
    boolean,
    bytea,
    check,
    create_table,
    foreign_key,
    hash32,
    in_values,
    index,
    instant,
    jsonb,
    primary_key,
    text,
    uint256,
    unique,
    unique_index,
    uuid,
)

_SUBJECT_TYPE_OF_KIND = (
    "subject_type = CASE kind WHEN 'execute_safe' THEN 'safe_transaction'"
    " WHEN 'plan_step' THEN 'plan_call' ELSE 'redemption' END"
)
_SUBJECT_ID_FORM = (
    "CASE WHEN subject_type = 'safe_transaction' THEN subject_id ~ '^0x[0-9a-f]{64}$'"
    " WHEN subject_type = 'plan_call' THEN subject_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]{1,3}$'"
    f" WHEN subject_id ~ '^(0|[1-9][0-9]{{0,77}})$' THEN CAST(subject_id AS numeric) <= {2**256 - 1} ELSE false END"
)


def create_tables() -> None:
    _create_wallets()
    _create_transaction_intents()
    _create_transaction_attempts()
    _create_operator_actions()


def _create_wallets() -> None:
    create_table(
        "ops.wallets",
        address("address"),
        in_values("name", "keeper", "approver", "hot"),
        bigint("next_nonce"),
        text("fault", null=True),
        instant("seen_at", null=True),
        bigint("seen_block", null=True),
        bigint("latest_nonce", null=True),
        bigint("final_nonce", null=True),
        uint256("balance_wei", null=True),
        instant("failing_since", null=True),
        text("last_error", null=True),
        primary_key("address"),
        check("last_error_with_time", "(failing_since IS NULL) = (last_error IS NULL)"),
        check("nonce_not_negative", "next_nonce >= 0"),
        check("chain_state_complete", "num_nonnulls(seen_at, seen_block, latest_nonce, final_nonce, balance_wei) IN (0, 5)"),
    )


def _create_transaction_intents() -> None:
    create_table(
        "ops.transaction_intents",
        uuid("id", default=RANDOM_UUID),
        text("idempotency_key"),
        hash32("payload_hash"),
        in_values("kind", "approve_redemption", "reject_redemption", "settle_redemption", "execute_safe", "plan_step"),
        address("wallet"),
        address("to_address"),
        bytea("data"),
        uint256("value_wei"),
        in_values("subject_type", "redemption", "safe_transaction", "plan_call"),
        text("subject_id"),
        text("ticket_id", null=True),
        in_values(
            "status",
            "QUEUED",
            "SIMULATED",
            "SENDING",
            "FINAL",
            "REVERTED",
            "FAILED",
            "EXPIRED",
            "CANCELLED",
            "SATISFIED_EXTERNALLY",
            default="QUEUED",
        ),
        boolean("unfunded", default="false"),
        text("reason", null=True),
        instant("created_at", default=NOW),
        instant("next_check_at", default=NOW),
        instant("closed_at", null=True),
        instant("expires_at", null=True),
        in_values("aborting_as", "CANCELLED", "EXPIRED", null=True),
        text("abort_reason", null=True),
        instant("unknown_since", null=True),
        primary_key("id"),
        unique("idempotency_key"),
        foreign_key("ticket_id", "ops.approval_tickets.id"),
        foreign_key("wallet", "ops.wallets.address"),
        check("closed_when_terminal", "(status IN ('QUEUED','SIMULATED','SENDING')) = (closed_at IS NULL)"),
        check("abort_reason_when_aborting", "(aborting_as IS NULL) = (abort_reason IS NULL)"),
        index("created_at", "created_at", "id"),
        index("open", "wallet", "created_at", where="closed_at IS NULL"),
        check("subject_type_of_kind", _SUBJECT_TYPE_OF_KIND),
        check("subject_id_form", _SUBJECT_ID_FORM),
        index("subject", "subject_type", "subject_id"),
    )


def _create_transaction_attempts() -> None:
    create_table(
        "ops.transaction_attempts",
        hash32("hash"),
        uuid("intent_id"),
        address("wallet"),
        bigint("nonce"),
        bigint("gas_limit"),
        uint256("max_fee_wei"),
        uint256("priority_fee_wei"),
        bytea("raw"),
        in_values("status", "SIGNED", "BROADCAST", "MINED", "FINAL", "REPLACED", "DROPPED", default="SIGNED"),
        text("answer", null=True),
        instant("created_at", default=NOW),
        instant("broadcast_at", null=True),
        bigint("block_number", null=True),
        bytea("block_hash", null=True),
        boolean("succeeded", null=True),
        bigint("gas_used", null=True),
        boolean("is_cancellation", default="false"),
        in_values("channel", "public", "private", default="public"),
        bigint("signed_at_block", null=True),
        primary_key("hash"),
        foreign_key("intent_id", "ops.transaction_intents.id"),
        foreign_key("wallet", "ops.wallets.address"),
        check("block_hash_when_mined", "(status IN ('MINED','FINAL')) <= (block_hash IS NOT NULL)"),
        check("signed_at_block_when_private", "channel = 'public' OR signed_at_block IS NOT NULL"),
        index("intent", "intent_id"),
        index("open", "wallet", where="status IN ('SIGNED','BROADCAST','MINED')"),
        unique_index("mined_nonce", "wallet", "nonce", where="status IN ('MINED','FINAL')"),
        unique_index("unacknowledged", "wallet", where="status = 'SIGNED'"),
    )


def _create_operator_actions() -> None:
    create_table(
        "ops.operator_actions",
        hash32("nonce"),
        in_values("kind", "speed_up", "cancel", "retry", "clear_fault"),
        bytea("wallet"),
        uuid("intent_id", null=True),
        text("target"),
        text("reason"),
        address("requested_by"),
        instant("requested_at", default=NOW),
        jsonb("typed_data"),
        bytea("signature"),
        instant("expires_at"),
        in_values("status", "REQUESTED", "DONE", "OBSOLETE", default="REQUESTED"),
        text("outcome", null=True),
        instant("ended_at", null=True),
        primary_key("nonce"),
        foreign_key("intent_id", "ops.transaction_intents.id"),
        foreign_key("wallet", "ops.wallets.address"),
        check("target_is_intent_or_wallet", "(kind = 'clear_fault') = (intent_id IS NULL)"),
        check("ended_at_unless_requested", "(status = 'REQUESTED') = (ended_at IS NULL)"),
        check("outcome_when_ended", "(ended_at IS NULL) = (outcome IS NULL)"),
        index("requested", "wallet", where="status = 'REQUESTED'"),
        index("intent", "intent_id"),
        unique_index("requested_of_intent", "intent_id", where="status = 'REQUESTED'"),
        unique_index("requested_of_wallet", "wallet", where="status = 'REQUESTED' AND intent_id IS NULL"),
    )
