"""Tables of users, sign-in challenges, approval tickets and votes."""

from paimon.infrastructure.database.migrations.initial.table_builder import (
    NOW,
    address,
    boolean,
    bytea,
    check,
    create_table,
    foreign_key,
    hash32,
    in_values,
    index,
    instant,
    integer,
    jsonb,
    primary_key,
    smallint,
    text,
    uint256,
    unique,
)


def create_tables() -> None:
    _create_users()
    _create_sign_in_challenges()
    _create_approval_tickets()
    _create_approval_records()


def _create_users() -> None:
    create_table(
        "ops.users",
        address("address"),
        in_values("role", "viewer", "operator", "admin", "super_admin"),
        text("name"),
        instant("created_at", default=NOW),
        primary_key("address"),
    )


def _create_sign_in_challenges() -> None:
    create_table(
        "ops.sign_in_challenges",
        text("nonce"),
        address("address"),
        text("message"),
        instant("expires_at"),
        instant("used_at", null=True),
        primary_key("nonce"),
    )


def _create_approval_tickets() -> None:
    create_table(
        "ops.approval_tickets",
        text("id"),
        in_values("type", "EMERGENCY_REDEMPTION", "STANDARD_REDEMPTION"),
        uint256("request_id"),
        address("owner"),
        address("receiver"),
        uint256("gross_amount"),
        integer("policy_version"),
        smallint("required_approvals"),
        in_values("status", "PENDING", "PARTIALLY_APPROVED", "APPROVED", "REJECTED", "CANCELLED"),
        in_values("sla_stage", "ON_TIME", "WARN", "ESCALATE", "OVERDUE", default="ON_TIME"),
        instant("opened_at"),
        instant("warn_at"),
        instant("escalate_at"),
        instant("deadline_at"),
        instant("decided_at", null=True),
        instant("closed_at", null=True),
        boolean("decided_externally", default="false"),
        primary_key("id"),
        unique("request_id"),
        check("decided_before_closed", "closed_at IS NULL OR decided_at IS NOT NULL"),
        check("decided_when_not_open", "(status IN ('PENDING','PARTIALLY_APPROVED')) = (decided_at IS NULL)"),
        check("required_approvals_positive", "required_approvals >= 1"),
        check("sla_in_order", "warn_at <= escalate_at AND escalate_at <= deadline_at"),
        index("open", "deadline_at", where="closed_at IS NULL"),
        index("opened_at", "opened_at", "id"),
    )


def _create_approval_records() -> None:
    create_table(
        "ops.approval_records",
        hash32("nonce"),
        text("ticket_id"),
        address("voter"),
        in_values("verdict", "APPROVE", "REJECT"),
        text("reason"),
        jsonb("typed_data"),
        bytea("signature"),
        instant("expires_at"),
        instant("decided_at"),
        primary_key("nonce"),
        unique("ticket_id", "voter"),
        foreign_key("ticket_id", "ops.approval_tickets.id"),
    )
