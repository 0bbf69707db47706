"""What is audited: which changes of which rows become entries of the audit trail, by triggers in the same transaction.

A trigger sees every writer, also one that forgets the audit trail or goes around the application. Its function runs as the
owner of the tables, so no process may add an entry of its own choice, but for `ops.record_audit`, which the API may call for
what leaves no row: a refused permission. `recorded_by` is the role that was connected, not what the row says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from paimon.domain.audit.entry import PAYLOAD_DAYS_MIN, AuditRetention
from paimon.infrastructure.database.rights.triggers import Triggers, apply_triggers, trigger_differences

_LOW, _MEDIUM, _HIGH = AuditRetention.LOW, AuditRetention.MEDIUM, AuditRetention.HIGH


@dataclass(frozen=True, slots=True)
class Audited:
    """One operation: the change of a row that it is, its resource, and the column of the person who did it.

    `columns` are those of an UPDATE, of which one must change, and `when` is what else must hold, in SQL. `key` is the column
    of the resource's id. The payload is the row `without` these columns. Without `actor`, the system did it.
    """

    operation: str
    retention: AuditRetention
    resource: str
    key: str
    actor: str | None = None
    columns: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    when: str | None = None

    @property
    def name(self) -> str:
        """The trigger's name."""
        return f"audit_{self.operation.replace('.', '_')}"

    def definition(self, table: str) -> str:
        """Return the statement that makes the trigger."""
        changed = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in self.columns)
        event = "UPDATE" if self.columns else "INSERT"
        changed = changed if self.when is None else f"({changed}) AND {self.when}"
        condition = f" WHEN ({changed})" if changed else ""
        values = (self.operation, self.retention, self.resource, self.key, self.actor or "", ",".join(self.without))
        arguments = ", ".join(f"'{value}'" for value in values)
        return (
            f"CREATE TRIGGER {self.name} AFTER {event} ON {table} FOR EACH ROW{condition}"
            f" EXECUTE FUNCTION ops.audit_row({arguments})"
        )


_OF_A_PERSON: Final = ("client", "network_address")
"""Columns that say where a person was, encrypted. They go with their row; the trail keeps nothing of them."""

_SIGNED_AGAIN: Final = ("signature", "is_contract_signature", "submitted_by", "signed_at")

AUDITED: Final[Mapping[str, tuple[Audited, ...]]] = {
    "ops.first_super_admins": (Audited("user.first_named", _HIGH, "user", "address"),),
    "ops.user_grants": (Audited("user.granted", _HIGH, "user", "address", actor="granted_by"),),
    "ops.sessions": (
        Audited("session.started", _LOW, "session", "id", actor="address", without=_OF_A_PERSON),
        Audited("session.ended", _LOW, "session", "id", columns=("ended_at",), without=_OF_A_PERSON),
    ),
    "ops.stand_ins": (
        Audited("stand_in.named", _HIGH, "stand_in", "id", actor="person"),
        Audited("stand_in.ended", _HIGH, "stand_in", "id", actor="ended_by", columns=("ended_at",)),
    ),
    "ops.asset_profiles": (Audited("asset.profile_set", _HIGH, "asset", "token", actor="changed_by"),),
    "ops.subject_keys": (
        Audited(
            *("user.erased", _HIGH, "user", "address"),
            actor="erased_by",
            columns=("erased_at",),
            without=("wrapped_key", "wrapped_by"),
        ),
    ),
    "ops.api_keys": (
        Audited("api_key.made", _HIGH, "api_key", "id", actor="address", without=("hash", "last_used_from")),
        Audited("api_key.revoked", _HIGH, "api_key", "id", columns=("revoked_at",), without=("hash", "last_used_from")),
    ),
    "ops.signed_actions": (Audited("action.signed", _HIGH, "signed_action", "nonce", actor="signer"),),
    "ops.approval_policies": (Audited("policy.published", _HIGH, "policy", "version", actor="published_by"),),
    "ops.approval_policy_drafts": (
        Audited("policy.drafted", _MEDIUM, "policy_draft", "id", actor="changed_by"),
        Audited("policy.draft_changed", _MEDIUM, "policy_draft", "id", actor="changed_by", columns=("document",)),
    ),
    "ops.approval_tickets": (
        Audited("ticket.raised", _MEDIUM, "ticket", "id"),
        Audited("ticket.sla_stage_reached", _MEDIUM, "ticket", "id", columns=("sla_stage",)),
        Audited("ticket.decided", _MEDIUM, "ticket", "id", columns=("status", "decided_at", "closed_at")),
    ),
    "ops.approval_records": (Audited("ticket.vote", _MEDIUM, "ticket", "ticket_id", actor="voter"),),
    "ops.plans": (Audited("plan.submitted", _HIGH, "plan", "id", actor="requested_by"),),
    "ops.safe_proposals": (
        Audited("proposal.made", _HIGH, "proposal", "hash", actor="proposed_by"),
        Audited("proposal.closed", _HIGH, "proposal", "hash", columns=("outcome",)),
    ),
    "ops.safe_signatures": (
        Audited("proposal.signed", _HIGH, "proposal", "proposal", actor="owner"),
        Audited("proposal.signed_again", _HIGH, "proposal", "proposal", actor="owner", columns=_SIGNED_AGAIN),
    ),
    "ops.transaction_intents": (
        Audited("intent.queued", _HIGH, "intent", "id"),
        Audited("intent.closed", _HIGH, "intent", "id", columns=("closed_at",)),
    ),
    "ops.operator_actions": (
        Audited("intent.action_requested", _HIGH, "intent", "target", actor="requested_by"),
        Audited("intent.action_ended", _HIGH, "intent", "target", columns=("ended_at",)),
    ),
    "ops.operator_decisions": (
        Audited("decision.made", _HIGH, "decision", "id", actor="requested_by"),
        Audited("decision.ended", _HIGH, "decision", "id", columns=("ended_at",)),
    ),
    "ops.reports": (Audited("report.made", _HIGH, "report", "id"),),
    "ops.emergencies": (
        Audited("emergency.begun", _HIGH, "emergency", "id", actor="started_by"),
        Audited("emergency.state_changed", _HIGH, "emergency", "id", columns=("state",)),
    ),
    "ops.risk_events": (
        Audited("risk_event.acknowledged", _MEDIUM, "risk_event", "id", actor="acknowledged_by", columns=("acknowledged_at",)),
        Audited(
            "risk_event.resolved",
            _MEDIUM,
            "risk_event",
            "id",
            actor="resolved_by",
            columns=("resolved_at",),
            when="NEW.resolved_at IS NOT NULL",
        ),
        # What had no valid signature is undone.
        Audited("risk_event.reopened", _MEDIUM, "risk_event", "id", columns=("resolved_at",), when="NEW.resolved_at IS NULL"),
    ),
}
"""By table, with the retention of docs/concepts/fund.md, "People and permissions"."""

_DAYS_MIN: Final = " ".join(f"WHEN '{retention}' THEN {days}" for retention, days in PAYLOAD_DAYS_MIN.items())

_FUNCTIONS: Final = (
    """
    CREATE OR REPLACE FUNCTION ops.add_audit_entry(
        operation text, retention text, actor bytea, outcome text, resource text, payload jsonb
    ) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
        INSERT INTO ops.audit_entries (operation, retention, actor, outcome, resource, recorded_by, payload_hash, payload)
        SELECT operation, retention, actor, outcome, resource, session_user,
               sha256(convert_to(payload::text, 'UTF8')), payload::text
        RETURNING id
    $body$
    """,
    """
    CREATE OR REPLACE FUNCTION ops.audit_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        after jsonb := to_jsonb(NEW);
        payload jsonb := after - string_to_array(TG_ARGV[5], ',');
        actor text := after ->> TG_ARGV[4];
        key text := regexp_replace(after ->> TG_ARGV[3], '^\\\\x', '0x');
    BEGIN
        IF TG_OP = 'UPDATE' THEN  -- what changed, before and after
            SELECT jsonb_build_object(
                       'before', jsonb_object_agg(field.key, field.value),
                       'after', jsonb_object_agg(field.key, after -> field.key))
              INTO payload FROM jsonb_each(to_jsonb(OLD) - string_to_array(TG_ARGV[5], ',')) AS field
             WHERE field.value IS DISTINCT FROM after -> field.key;
        END IF;
        PERFORM ops.add_audit_entry(
            TG_ARGV[0], TG_ARGV[1], CASE WHEN actor LIKE '\\\\x%' THEN decode(substr(actor, 3), 'hex') END, 'DONE',
            TG_ARGV[2] || '/' || key, payload);
        RETURN NULL;
    END
    $body$
    """,
    """
    CREATE OR REPLACE FUNCTION ops.record_audit(operation text, retention text, actor bytea, resource text, payload jsonb)
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF operation <> 'permission.refused' THEN
            RAISE EXCEPTION 'operation % is recorded by the row that it writes', operation
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN ops.add_audit_entry(operation, retention, actor, 'REFUSED', resource, payload);
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.remove_audit_payloads(class text, before timestamptz, rows_max integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        days_min integer := CASE class {_DAYS_MIN} END;
        removed bigint;
    BEGIN
        IF days_min IS NULL THEN
            RAISE EXCEPTION 'no retention of the audit trail is called %', class USING ERRCODE = 'invalid_parameter_value';
        END IF;
        IF before IS NULL OR before > now() - make_interval(days => days_min) THEN
            RAISE EXCEPTION 'payloads of % are kept for % days at least, not only from % on', class, days_min, before
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF rows_max IS NULL OR rows_max < 1 THEN
            RAISE EXCEPTION 'rows_max must be at least 1' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        UPDATE ops.audit_entries SET payload = NULL
         WHERE id IN (SELECT id FROM ops.audit_entries
                       WHERE retention = class AND at < before AND payload IS NOT NULL AND position IS NOT NULL
                       ORDER BY at LIMIT rows_max);
        GET DIAGNOSTICS removed = ROW_COUNT;
        RETURN removed;
    END
    $body$
    """,  # noqa: S608 — made of the constants above
)

_WANTED: Final[Triggers] = {
    (table, audited.name): audited.definition(table) for table, operations in AUDITED.items() for audited in operations
}
_NAMES: Final = "^audit_"


def apply_audit(connection: Connection) -> None:
    """Create the functions and triggers of the audit trail, as the owner of the tables."""
    apply_triggers(connection, _FUNCTIONS, _WANTED, names=_NAMES)


def audit_differences(connection: Connection) -> list[str]:
    """List each trigger that is missing, switched off, or another than this version's, one line each."""
    return trigger_differences(connection, _WANTED, names=_NAMES)
