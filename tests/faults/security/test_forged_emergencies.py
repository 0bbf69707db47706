"""What the role of the API or of a terminal can make of emergencies: what a person signed, and nothing by itself."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from paimon.domain.kernel.signed_action import ActionName
from paimon.infrastructure.database import migrate
from paimon.infrastructure.database.rights.roles import DatabaseRole
from paimon_devkit.stack.embedded_postgres import ROLE_PREFIX, EmbeddedPostgres

pytestmark = pytest.mark.integration

PERSON: Final = b"\x11" * 20
ANOTHER: Final = b"\x12" * 20
STEPS: Final = [
    {"kind": kind, "status": "PROPOSED", "attempt": 1, "since": "2026-03-01T00:00:00Z", "proposed_at": "2026-03-01T00:00:00Z"}
    for kind in ("PAUSE_VAULT", "OPEN_EXIT")
]
ADDED: Final = (
    "INSERT INTO ops.emergencies (is_drill, state, started_at, started_by, evidence, state_since, critical_since, steps,"
    " ended_at, end_reason) VALUES (%s, %s, now(), %s, '{}', now(), %s, %s, %s, %s) RETURNING id"
)
FOREVER: Final = "9999-01-01"
STOOD_DOWN: Final = "state = 'STOOD_DOWN', ended_at = now(), end_reason = 'over'"
CLOSED: Final = "state = 'CLOSED', ended_at = now(), end_reason = 'over'"

Session = psycopg.Connection[Any]
Connect = Callable[[DatabaseRole], Session]


@pytest.fixture
def connect(postgres: EmbeddedPostgres, database_name: str, owner_url: str) -> Connect:
    """Return a function that opens a session as a process' role; each statement outside of a transaction is its own."""
    migrate.grant_roles(owner_url)

    def opened(role: DatabaseRole) -> Session:
        name = role.server_name(ROLE_PREFIX)
        return psycopg.connect(postgres.url(name, database_name).replace("+psycopg", ""), autocommit=True)

    return opened


def add(session: Session, *, state: str = "CONTAINING", by: bytes | None = None, steps: object = STEPS) -> int:
    row = session.execute(ADDED, (by is not None, state, by, "2026-03-01", json.dumps(steps), None, None)).fetchone()
    assert row is not None
    return int(row[0])


def sign(session: Session, action: str, resource: str, *, signer: bytes = PERSON) -> None:
    """Record an accepted action, dated by the transaction."""
    session.execute(
        "INSERT INTO ops.signed_actions (nonce, action, resource, signer, typed_data, signature, expires_at)"
        " VALUES (sha256(gen_random_uuid()::text::bytea), %s, %s, %s, '{}', '\\x01', now())",
        (action, resource, signer),
    )


def signed(session: Session, action: str, resource: str, act: Callable[[], object], *, signer: bytes = PERSON) -> None:
    """Record an accepted action and do this in one transaction, as the use cases do."""
    with session.transaction():
        sign(session, action, resource, signer=signer)
        act()


def change(session: Session, number: int, changes: str, *values: object) -> None:
    session.execute(f"UPDATE ops.emergencies SET {changes} WHERE id = %s".encode(), (*values, number))


def with_first(**changes: object) -> str:
    return json.dumps([STEPS[0] | changes, *STEPS[1:]])


ROLES: Final = pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.CLI])


@ROLES
@pytest.mark.parametrize("state", ["DECLARED", "STOOD_DOWN"])
def test_emergency_that_no_level_declared_is_not_added(connect: Connect, role: DatabaseRole, state: str) -> None:
    """An ended one with a later level would be the newest, and no level would be due any more."""
    ended = ("now", "over") if state == "STOOD_DOWN" else (None, None)
    with connect(role) as session:
        sign(session, ActionName.START_DRILL, "/emergencies")
        with pytest.raises(InsufficientPrivilege, match="drills that a person signed"):
            session.execute(ADDED, (False, state, None, FOREVER, "[]", *ended))


@ROLES
def test_drill_is_added_by_who_signed_it_and_then_only(connect: Connect, role: DatabaseRole) -> None:
    drill: dict[str, Any] = {"state": "ARMED", "by": PERSON, "steps": []}
    with connect(role) as session:
        for action, resource, signer in (
            (ActionName.START_DRILL, "/emergencies", ANOTHER),
            (ActionName.SIGN_DRILL_STEP, "/emergencies", PERSON),
            (ActionName.START_DRILL, "/emergencies/1", PERSON),
        ):
            with pytest.raises(InsufficientPrivilege, match="drills that a person signed"):
                signed(session, action, resource, partial(add, session, **drill), signer=signer)
        signed(session, ActionName.START_DRILL, "/emergencies", partial(add, session, **drill))


@ROLES
@pytest.mark.parametrize(
    "changes",
    [
        f"critical_since = '{FOREVER}'",
        STOOD_DOWN,
        CLOSED,
        "state = 'STABLE'",
        "state = 'LEAVING', state_since = '2026-01-01'",
        "state_since = '2026-01-01'",
        "end_evidence = '{}'",
        "steps = '[]'",
        "steps = steps || steps",
        "steps = jsonb_set(steps, '{0,status}', '\"DONE\"')",
        "steps = jsonb_set(steps, '{0,status}', '\"DECLINED\"')",
        "steps = jsonb_set(steps, '{0,is_selected}', 'false')",
        "steps = jsonb_set(steps, '{0,attempt}', '9')",
    ],
)
def test_emergency_is_not_changed_without_a_persons_signature(connect: Connect, role: DatabaseRole, changes: str) -> None:
    with connect(DatabaseRole.WORKER) as worker:
        number = add(worker)
    with connect(role) as session, pytest.raises(InsufficientPrivilege):
        change(session, number, changes)


@ROLES
def test_signature_ends_its_emergency_and_no_other_and_nothing_else_of_it(connect: Connect, role: DatabaseRole) -> None:
    with connect(DatabaseRole.WORKER) as worker:
        number = add(worker)
    path = f"/emergencies/{number}"
    with connect(role) as session:
        for action, resource, changes in (
            (ActionName.STAND_DOWN_EMERGENCY, f"{path}0", STOOD_DOWN),
            (ActionName.DECLINE_EMERGENCY_STEP, path, STOOD_DOWN),
            (ActionName.STAND_DOWN_EMERGENCY, path, CLOSED),
            (ActionName.STAND_DOWN_EMERGENCY, path, f"{STOOD_DOWN}, steps = '[]'"),
        ):
            with pytest.raises(InsufficientPrivilege, match="no person signed that"):
                signed(session, action, resource, partial(change, session, number, changes))
        signed(session, ActionName.STAND_DOWN_EMERGENCY, path, partial(change, session, number, STOOD_DOWN))


@ROLES
def test_signature_declines_its_step_as_it_was_proposed_and_no_other(connect: Connect, role: DatabaseRole) -> None:
    with connect(DatabaseRole.WORKER) as worker:
        number = add(worker)
    path, decline = f"/emergencies/{number}/steps", ActionName.DECLINE_EMERGENCY_STEP
    with connect(role) as session:
        for action, resource, steps in (
            (decline, f"{path}/OPEN_EXIT", with_first(status="DECLINED")),
            (ActionName.SIGN_DRILL_STEP, f"{path}/PAUSE_VAULT", with_first(status="DONE")),
            (decline, f"{path}/PAUSE_VAULT", with_first(status="DONE")),
            (decline, f"{path}/PAUSE_VAULT", with_first(status="DECLINED", attempt=7)),
        ):
            with pytest.raises(InsufficientPrivilege, match="no person signed that"):
                signed(session, action, resource, partial(change, session, number, "steps = %s", steps))
        declined = with_first(status="DECLINED", since="2026-03-02T00:00:00Z")
        signed(session, decline, f"{path}/PAUSE_VAULT", partial(change, session, number, "steps = %s", declined))
    again = with_first(proposed_at="2999-01-01T00:00:00Z")
    with connect(DatabaseRole.WORKER) as worker:
        change(worker, number, "steps = %s", again)
    with connect(role) as session, pytest.raises(InsufficientPrivilege, match="no person signed that"):
        change(session, number, "steps = %s", with_first(status="DECLINED", proposed_at="2999-01-01T00:00:00Z"))


def test_step_of_a_drill_is_signed_by_a_person_who_is_named(connect: Connect) -> None:
    entry = "INSERT INTO ops.emergency_timeline (emergency_id, number, kind, step, actor, text) VALUES (%s, %s, %s, %s, %s, '')"
    with connect(DatabaseRole.WORKER) as worker:
        number = add(worker, by=PERSON)
    path, action = f"/emergencies/{number}/steps/PAUSE_VAULT", ActionName.SIGN_DRILL_STEP
    with connect(DatabaseRole.API) as session:
        for resource, actor in ((path, ANOTHER), (path, None), (path.replace("PAUSE_VAULT", "OPEN_EXIT"), PERSON)):
            told = partial(session.execute, entry, (number, 1, "SIGNED", "PAUSE_VAULT", actor))
            with pytest.raises(InsufficientPrivilege, match="signed nothing of the kind"):
                signed(session, action, resource, told)
        signed(session, action, path, partial(session.execute, entry, (number, 1, "SIGNED", "PAUSE_VAULT", PERSON)))
        done = with_first(status="DONE", done_at_block=7)
        signed(session, action, path, partial(change, session, number, "steps = %s", done))


def test_worker_advances_by_the_level_that_it_judges(connect: Connect) -> None:
    with connect(DatabaseRole.WORKER) as worker:
        number = add(worker)
        change(worker, number, "critical_since = '2026-03-02', state = 'FREEING', steps = '[]'")
        change(worker, number, CLOSED)
