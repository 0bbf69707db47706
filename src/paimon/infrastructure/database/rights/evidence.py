"""Rows that are evidence: triggers refuse to change or remove them, for every role and for the owner of the tables too.

    keep_columns    a column outside of `mutable` never changes
    keep_outcome    after `final_when` no column changes any more
    keep_rows       no row is deleted, but those of `deletable_when`
    keep_table      no TRUNCATE
    follow_votes    a ticket is decided by its recorded votes, or by the chain's outcome, and by nothing else. A vote of a
                    party, or one that a worker has marked as invalid, is none. An outcome is the request's status together
                    with the recorded log that shows it, whose topics only the listener writes
    follow_safe     the ticket of a plan is decided by the signatures of its Safe's proposal, by a recorded rejection, by the
                    requester's cancellation, by its deadline, by a drift with its reason, or by the use of the Safe's nonce
    follow_action   a person who resolved a risk event signed that action; its signature is verified with the audit trail, and
                    that of a changed contract wherever something is to be signed
    follow_erasure  a person who erased another's key of personal data signed that action
    follow_profile  a person who set an asset's profile signed that action; the signature is verified where it is read
    follow_plan     an intent of a plan is the call that its recorded plan has; checked at the commit
    follow_drill    a role that does not advance emergencies adds drills only, each as a person signed it
    follow_decision such a role ends an emergency, and declines or signs a step of it, as a person signed that and no further
    follow_actor    an entry of an emergency's timeline names a person who signed that in its transaction

Retention removes no evidence: a row may go only when something that outlasts it proves what it said, and nothing does yet
(docs/concepts/database-roles.md, "Evidence"). The functions and triggers belong to the owner of the tables, so no process can
change them. The owner can, as it can drop the tables: that takes a statement of its own, and is no accident. `apply_evidence`
makes them from this module, with the rights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from paimon.domain.kernel.signed_action import ActionName
from paimon.infrastructure.database.rights.triggers import Triggers, apply_triggers, trigger_differences


@dataclass(frozen=True, slots=True)
class Evidence:
    """What may still change of a table's rows. The two conditions are SQL over OLD."""

    mutable: tuple[str, ...] = ()
    final_when: str | None = None
    deletable_when: str | None = None


_APPLIED: Final = ("status", "outcome", "ended_at")

EVIDENCE: Final[Mapping[str, Evidence]] = {
    "ops.signed_actions": Evidence(),
    "ops.user_grants": Evidence(),
    "ops.first_super_admins": Evidence(),
    # An erasure is final: a key that came back would make readable what was erased.
    "ops.subject_keys": Evidence(("wrapped_key", "wrapped_by", "erased_at", "erased_by"), "OLD.erased_at IS NOT NULL"),
    "ops.stand_ins": Evidence(("ended_at", "ended_by"), "OLD.ended_at IS NOT NULL"),
    "ops.asset_profiles": Evidence(),
    "ops.api_keys": Evidence(("last_used_at", "last_used_from", "revoked_at")),
    "ops.approval_records": Evidence(),
    "ops.invalid_votes": Evidence(),
    "ops.approval_policies": Evidence(),
    "ops.approval_tickets": Evidence(
        ("status", "sla_stage", "decided_at", "closed_at", "decided_externally", "void_reason"),
        final_when="OLD.closed_at IS NOT NULL",
    ),
    "ops.operator_actions": Evidence(_APPLIED, final_when="OLD.ended_at IS NOT NULL"),
    "ops.operator_decisions": Evidence(_APPLIED, final_when="OLD.ended_at IS NOT NULL"),
    "ops.plans": Evidence(),
    "ops.plan_calls": Evidence(),
    "ops.rebalance_history": Evidence(
        ("status", "plan_id", "closed_at", "close_reason", "outcome"), final_when="OLD.closed_at IS NOT NULL"
    ),
    "ops.safe_proposals": Evidence(
        ("expires_at", "outcome", "executed_tx_hash", "closed_at"), final_when="OLD.outcome IS NOT NULL"
    ),
    # A signature that the Safe no longer counts is replaced by the owner's new one.
    "ops.safe_signatures": Evidence(("signature", "is_contract_signature", "submitted_by", "signed_at")),
    "ops.transaction_intents": Evidence(
        ("status", "unfunded", "reason", "next_check_at", "unknown_since", "aborting_as", "abort_reason", "closed_at")
    ),
    "ops.transaction_attempts": Evidence(
        # The same bytes may go out over the public channel later.
        ("status", "channel", "answer", "broadcast_at", "block_number", "block_hash", "succeeded", "gas_used")
    ),
    "ops.acknowledgement_links": Evidence(("used_at",), final_when="OLD.used_at IS NOT NULL"),
    # The auditor seals an entry once; retention removes the payload of a sealed one. See `keep_sealed` and `keep_payload`.
    "ops.audit_entries": Evidence(("position", "leaf", "sealed_at", "payload")),
    "ops.audit_subtrees": Evidence(),
    "ops.audit_roots": Evidence(),
    "ops.audit_day_roots": Evidence(),
    "ops.reconciliations": Evidence(("orphaned",)),
    # A withheld point was never official: a recovery removes it with its block.
    "ops.nav_points": Evidence(
        ("status", "reconciliation_id", "decided_at", "published_at"), deletable_when="OLD.status = 'WITHHELD'"
    ),
    "ops.reports": Evidence(),
    "ops.price_observations": Evidence(),
    "ops.price_judgements": Evidence(),
    "ops.contract_facts": Evidence(("last_block_number", "last_block_hash", "last_block_timestamp")),
    "ops.emergencies": Evidence(
        ("state", "state_since", "critical_since", "steps", "ended_at", "end_reason", "end_evidence"),
        final_when="OLD.ended_at IS NOT NULL",
    ),
    "ops.emergency_timeline": Evidence(),
    "ops.risk_policies": Evidence(),
    "ops.risk_events": Evidence(
        (
            *("observed", "expected", "severity", "status", "owner_role", "owner_address", "first_seen_block", "last_seen_at"),
            *("last_seen_block", "acknowledged_at", "acknowledged_by", "resolved_at", "resolved_block", "resolved_by", "note"),
        )
    ),
}
"""By table. Every other table of `ops` holds the present state of something, which changes by its nature."""

OUTCOME_TOPICS: Final[Mapping[str, Mapping[str, str]]] = {
    "APPROVED": {
        "RedemptionApproved": "288f9db7e88c4c42745cefe885caf627c052a2826a041773a1808a89e637b0d7",
        "RedemptionSettled": "3e36800df31a70f158a2aea58c448618e86072046e9dcf7df620b54c0a275f97",
    },
    "REJECTED": {"RedemptionRejected": "66805c428365b7fad5b3d484ba618ccea991d43a38ea0d97de8d0b0a9591fcf7"},
    "CANCELLED": {"RedemptionCancelled": "7f1fcdbc69590004e2b4592955b3e9f73c063bf132df986a15a01485e2e603b0"},
}
"""The events of the RedemptionManager that show a ticket's outcome, with the first topic of each. The second is the request."""

_OUTCOMES: Final = " ".join(
    f"WHEN '{outcome}' THEN ARRAY[{', '.join(repr(topic) for topic in events.values())}]"
    for outcome, events in OUTCOME_TOPICS.items()
)

_FUNCTIONS: Final = (
    """
    CREATE OR REPLACE FUNCTION ops.keep_evidence() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        RAISE EXCEPTION '%.% is evidence: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0]
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'evidence is only added to; docs/operations/deploy.md, "Evidence"';
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_votes() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        found text;
        id_topic bytea;
    BEGIN
        SELECT CASE request.status WHEN 'PENDING_APPROVAL' THEN NULL WHEN 'REJECTED' THEN 'REJECTED'
                                   WHEN 'CANCELLED' THEN 'CANCELLED' ELSE 'APPROVED' END
          INTO found FROM derived.redemption_requests AS request WHERE request.request_id = NEW.request_id;
        -- A worker may rewrite the request, but no log's topics: the outcome counts with the event that says so.
        IF NEW.request_id < 9223372036854775808 THEN
            id_topic := decode(lpad(to_hex(NEW.request_id::bigint), 64, '0'), 'hex');
        END IF;
        IF NOT EXISTS (SELECT FROM derived.raw_logs AS log
                        WHERE log.request_id = NEW.request_id AND log.topics[2] = coalesce(id_topic, log.topics[2])
                          AND encode(log.topics[1], 'hex') = ANY (CASE found {_OUTCOMES} END)) THEN
            found := NULL;
        END IF;
        IF found IS NOT DISTINCT FROM NEW.status THEN
            RETURN NEW;
        END IF;
        IF NEW.decided_externally OR NEW.closed_at IS NOT NULL OR NEW.status = 'CANCELLED' THEN
            RAISE EXCEPTION 'ticket %: the chain has not decided %', NEW.id, NEW.status
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        SELECT CASE WHEN count(*) FILTER (WHERE verdict = 'REJECT') > 0 THEN 'REJECTED'
                    WHEN count(*) FILTER (WHERE verdict = 'APPROVE') >= NEW.required_approvals THEN 'APPROVED' END
          INTO found FROM ops.approval_records AS vote
         WHERE ticket_id = NEW.id AND voter NOT IN (NEW.owner, NEW.receiver)
           AND NOT EXISTS (SELECT FROM ops.invalid_votes AS invalid WHERE invalid.nonce = vote.nonce);
        IF found IS DISTINCT FROM NEW.status THEN
            RAISE EXCEPTION 'ticket %: its recorded votes do not decide %', NEW.id, NEW.status
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,  # noqa: S608 — the outcomes are the constants above
    """
    CREATE OR REPLACE FUNCTION ops.follow_safe() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        used_for text;
        is_followed boolean;
    BEGIN
        SELECT proposal.outcome INTO used_for FROM ops.plans AS plan JOIN ops.safe_proposals AS proposal
            ON proposal.hash = plan.proposal WHERE plan.id = NEW.plan_id;
        IF (NEW.closed_at IS NOT NULL OR NEW.decided_externally) AND used_for IS NULL THEN
            RAISE EXCEPTION 'ticket %: the Safe has not used the nonce', NEW.id USING ERRCODE = 'insufficient_privilege';
        END IF;
        is_followed := CASE NEW.status
            WHEN 'APPROVED' THEN coalesce(used_for IN ('EXECUTED', 'FAILED'), false) OR NEW.required_approvals <= (
                SELECT count(*) FROM ops.safe_signatures AS signature
                  JOIN ops.plans AS plan ON plan.proposal = signature.proposal
                 WHERE plan.id = NEW.plan_id AND signature.owner <> NEW.requested_by)
            WHEN 'EXPIRED' THEN NEW.at_deadline = 'REJECT' AND NEW.deadline_at <= now()
            WHEN 'VOID' THEN NEW.void_reason IS NOT NULL
            ELSE (NEW.status = 'REJECTED' AND coalesce(used_for IN ('REJECTED', 'SUPERSEDED'), false)) OR EXISTS (
                SELECT FROM ops.approval_records AS vote
                 WHERE vote.ticket_id = NEW.id
                   AND vote.verdict = CASE NEW.status WHEN 'REJECTED' THEN 'REJECT' ELSE 'CANCEL' END
                   AND (vote.voter = NEW.requested_by) = (NEW.status = 'CANCELLED')
                   AND NOT EXISTS (SELECT FROM ops.invalid_votes AS invalid WHERE invalid.nonce = vote.nonce))
        END;
        IF NOT is_followed THEN
            RAISE EXCEPTION 'ticket %: nothing recorded decides %', NEW.id, NEW.status USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
    """
    CREATE OR REPLACE FUNCTION ops.follow_plan() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT EXISTS (SELECT FROM ops.plan_calls AS call JOIN ops.plans AS plan ON plan.id = call.plan_id
                        WHERE call.intent_id = NEW.id AND call.plan_id || ':' || call.call_index = NEW.subject_id
                          AND call.to_address = NEW.to_address AND call.data = NEW.data AND plan.wallet = 'hot') THEN
            RAISE EXCEPTION 'intent %: no recorded plan has this call', NEW.idempotency_key
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NULL;
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_action() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT EXISTS (SELECT FROM ops.signed_actions
                        WHERE action = '{ActionName.RESOLVE_RISK_EVENT}' AND resource = '/risk/events/' || NEW.id
                          AND signer = NEW.resolved_by) THEN
            RAISE EXCEPTION 'risk event %: the person who resolves it did not sign that', NEW.id
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_erasure() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT EXISTS (SELECT FROM ops.signed_actions
                        WHERE action = '{ActionName.ERASE_PERSON}' AND signer = NEW.erased_by AND accepted_at >= NEW.created_at
                          AND lower(resource) = '/users/0x' || encode(NEW.address, 'hex')) THEN
            RAISE EXCEPTION 'key % of personal data: the person who erases it did not sign that', NEW.id
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_profile() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT EXISTS (SELECT FROM ops.signed_actions
                        WHERE nonce = NEW.nonce AND action = '{ActionName.SET_ASSET_PROFILE}' AND signer = NEW.changed_by
                          AND lower(resource) = '/assets/0x' || encode(NEW.token, 'hex')) THEN
            RAISE EXCEPTION 'profile of asset 0x%: the person who sets it did not sign that', encode(NEW.token, 'hex')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
    # The role that may say which level was answered judges the level, and advances emergencies by it.
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_drill() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    BEGIN
        IF NOT has_column_privilege('ops.emergencies', 'critical_since', 'UPDATE') AND NOT (
            NEW.is_drill AND NEW.state = 'ARMED' AND NEW.steps = '[]' AND EXISTS (
                SELECT FROM ops.signed_actions
                 WHERE action = '{ActionName.START_DRILL}' AND resource = '/emergencies' AND signer = NEW.started_by
                   AND accepted_at = NEW.started_at)) THEN
            RAISE EXCEPTION 'emergency %: this role adds drills that a person signed, and nothing else', NEW.id
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
    f"""
    CREATE OR REPLACE FUNCTION ops.follow_decision() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        path text := '/emergencies/' || NEW.id;
        place bigint;
        before jsonb;
        after jsonb;
        is_followed boolean;
    BEGIN
        IF has_column_privilege('ops.emergencies', 'critical_since', 'UPDATE') THEN
            RETURN NEW;
        END IF;
        IF NEW.state IS DISTINCT FROM OLD.state THEN
            is_followed := NEW.state = 'STOOD_DOWN' AND NEW.steps = OLD.steps AND EXISTS (
                SELECT FROM ops.signed_actions
                 WHERE action = '{ActionName.STAND_DOWN_EMERGENCY}' AND resource = path AND accepted_at = NEW.ended_at);
        ELSE
            is_followed := ROW(NEW.state_since, NEW.ended_at, NEW.end_reason, NEW.end_evidence)
                IS NOT DISTINCT FROM ROW(OLD.state_since, OLD.ended_at, OLD.end_reason, OLD.end_evidence)
                AND jsonb_array_length(NEW.steps) = jsonb_array_length(OLD.steps);
            FOR place, before, after IN
                SELECT known.ordinality, known.value, NEW.steps -> (known.ordinality - 1)::integer
                  FROM jsonb_array_elements(OLD.steps) WITH ORDINALITY AS known
            LOOP
                -- What a decision changes of a step, and nothing else: its status, with when.
                is_followed := is_followed AND (before = after OR (
                    before - '{{status,since,submitted_at,done_at,done_at_block}}'::text[]
                        = after - '{{status,since,submitted_at,done_at,done_at_block}}'::text[]
                    AND before ->> 'status' IN ('PROPOSED', 'SUBMITTED')
                    AND EXISTS (
                        SELECT FROM ops.signed_actions
                         WHERE resource = path || '/steps/' || (before ->> 'kind')
                           AND accepted_at >= (before ->> 'proposed_at')::timestamptz
                           AND CASE WHEN after ->> 'status' = 'DECLINED' THEN action = '{ActionName.DECLINE_EMERGENCY_STEP}'
                                    ELSE NEW.is_drill AND action = '{ActionName.SIGN_DRILL_STEP}' END)));
            END LOOP;
        END IF;
        IF is_followed IS NOT TRUE THEN
            RAISE EXCEPTION 'emergency %: no person signed that', NEW.id USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,  # noqa: S608 — the actions are constants
    """
    CREATE OR REPLACE FUNCTION ops.follow_actor() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
    DECLARE
        path text := '/emergencies/' || NEW.emergency_id;
    BEGIN
        IF NOT EXISTS (SELECT FROM ops.signed_actions
                        WHERE signer = NEW.actor AND accepted_at = NEW.at AND resource = CASE NEW.kind
                              WHEN 'DRILL_STARTED' THEN '/emergencies' WHEN 'STATE' THEN path
                              ELSE path || '/steps/' || NEW.step END) THEN
            RAISE EXCEPTION 'timeline of emergency %: this person signed nothing of the kind', NEW.emergency_id
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN NEW;
    END
    $body$
    """,
)

_COLUMNS: Final = text("""
    SELECT attname FROM pg_attribute
     WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""")
_NAMES: Final = "^(keep|follow)_"


def apply_evidence(connection: Connection) -> None:
    """Create the functions and triggers of evidence, as the owner of the tables."""
    apply_triggers(connection, _FUNCTIONS, _wanted(connection), names=_NAMES)


def evidence_differences(connection: Connection) -> list[str]:
    """List each trigger that is missing, switched off, or another than this version's, one line each."""
    return trigger_differences(connection, _wanted(connection), names=_NAMES)


def _wanted(connection: Connection) -> Triggers:
    return {
        (table, name): definition
        for table, evidence in EVIDENCE.items()
        for name, definition in _definitions(table, evidence, list(connection.execute(_COLUMNS, {"table": table}).scalars()))
    } | _FOLLOWING


def _definitions(table: str, evidence: Evidence, columns: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the triggers of a table by name."""
    kept = [column for column in columns if column not in evidence.mutable]
    old, new = (", ".join(f"{row}.{column}" for column in kept) for row in ("OLD", "NEW"))
    yield from _refusal(table, "keep_columns", "UPDATE", f"ROW({old}) IS DISTINCT FROM ROW({new})", "to change it")
    if evidence.final_when is not None:
        condition = f"{evidence.final_when} AND OLD.* IS DISTINCT FROM NEW.*"
        yield from _refusal(table, "keep_outcome", "UPDATE", condition, "to change its outcome")
    condition = f"NOT ({evidence.deletable_when})" if evidence.deletable_when else "true"
    yield from _refusal(table, "keep_rows", "DELETE", condition, "to delete it")
    yield (
        "keep_table",
        f"CREATE TRIGGER keep_table BEFORE TRUNCATE ON {table} FOR EACH STATEMENT"
        " EXECUTE FUNCTION ops.keep_evidence('to empty it')",
    )


def _refusal(table: str, name: str, operation: str, condition: str, what: str) -> Iterator[tuple[str, str]]:
    yield (
        name,
        f"CREATE TRIGGER {name} BEFORE {operation} ON {table} FOR EACH ROW WHEN ({condition})"
        f" EXECUTE FUNCTION ops.keep_evidence('{what}')",
    )


_DECIDED: Final = (
    "NEW.decided_at IS NOT NULL AND ROW(OLD.status, OLD.decided_at, OLD.closed_at, OLD.decided_externally)"
    " IS DISTINCT FROM ROW(NEW.status, NEW.decided_at, NEW.closed_at, NEW.decided_externally)"
)

_FOLLOWING: Final = {
    ("ops.audit_entries", "keep_sealed"): (
        "CREATE TRIGGER keep_sealed BEFORE UPDATE ON ops.audit_entries FOR EACH ROW"
        " WHEN (OLD.position IS NOT NULL"
        " AND ROW(OLD.position, OLD.leaf, OLD.sealed_at) IS DISTINCT FROM ROW(NEW.position, NEW.leaf, NEW.sealed_at))"
        " EXECUTE FUNCTION ops.keep_evidence('to seal it again')"
    ),
    ("ops.audit_entries", "keep_payload"): (
        "CREATE TRIGGER keep_payload BEFORE UPDATE ON ops.audit_entries FOR EACH ROW"
        " WHEN (NEW.payload IS DISTINCT FROM OLD.payload AND (NEW.payload IS NOT NULL OR OLD.position IS NULL))"
        " EXECUTE FUNCTION ops.keep_evidence('to change its payload')"
    ),
    ("ops.approval_tickets", "follow_votes"): (
        "CREATE TRIGGER follow_votes BEFORE UPDATE ON ops.approval_tickets FOR EACH ROW"
        f" WHEN (NEW.request_id IS NOT NULL AND {_DECIDED}) EXECUTE FUNCTION ops.follow_votes()"
    ),
    ("ops.approval_tickets", "follow_safe"): (
        "CREATE TRIGGER follow_safe BEFORE UPDATE ON ops.approval_tickets FOR EACH ROW"
        f" WHEN (NEW.plan_id IS NOT NULL AND {_DECIDED}) EXECUTE FUNCTION ops.follow_safe()"
    ),
    ("ops.risk_events", "follow_action"): (
        "CREATE TRIGGER follow_action BEFORE UPDATE ON ops.risk_events FOR EACH ROW"
        " WHEN (NEW.resolved_by IS NOT NULL AND NEW.resolved_by IS DISTINCT FROM OLD.resolved_by)"
        " EXECUTE FUNCTION ops.follow_action()"
    ),
    ("ops.subject_keys", "follow_erasure"): (
        "CREATE TRIGGER follow_erasure BEFORE UPDATE ON ops.subject_keys FOR EACH ROW"
        " WHEN (NEW.erased_at IS NOT NULL) EXECUTE FUNCTION ops.follow_erasure()"
    ),
    ("ops.asset_profiles", "follow_profile"): (
        "CREATE TRIGGER follow_profile BEFORE INSERT ON ops.asset_profiles FOR EACH ROW EXECUTE FUNCTION ops.follow_profile()"
    ),
    ("ops.emergencies", "follow_drill"): (
        "CREATE TRIGGER follow_drill BEFORE INSERT ON ops.emergencies FOR EACH ROW EXECUTE FUNCTION ops.follow_drill()"
    ),
    ("ops.emergencies", "follow_decision"): (
        "CREATE TRIGGER follow_decision BEFORE UPDATE ON ops.emergencies FOR EACH ROW"
        " WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION ops.follow_decision()"
    ),
    ("ops.emergency_timeline", "follow_actor"): (
        "CREATE TRIGGER follow_actor BEFORE INSERT ON ops.emergency_timeline FOR EACH ROW"
        " WHEN (NEW.actor IS NOT NULL OR NEW.kind = 'SIGNED') EXECUTE FUNCTION ops.follow_actor()"
    ),
    ("ops.transaction_intents", "follow_plan"): (
        "CREATE CONSTRAINT TRIGGER follow_plan AFTER INSERT ON ops.transaction_intents DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.kind = 'plan_step') EXECUTE FUNCTION ops.follow_plan()"
    ),
}
