"""Signed grants of users and sign-in challenges in the database. The head of the grants is read anew at every request."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import FromClause, and_, bindparam, delete, func, inspect, literal, select, text, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from paimon.application.common.signing_rules import SignatureEvidence
from paimon.domain.kernel.chain import Address, Hash32, OnChainRole
from paimon.domain.kernel.eip712 import SignatureTerms
from paimon.domain.user.grants import Grant, SignedGrant
from paimon.domain.user.roles import ChainRole, Permission, User, UserRole
from paimon.domain.user.session import Session
from paimon.infrastructure.database.arrays import in_values
from paimon.infrastructure.database.clock import as_utc
from paimon.infrastructure.database.models.derived.role import RoleHolderRow
from paimon.infrastructure.database.models.ops.user import (
    ApiKeyRow,
    FirstSuperAdminRow,
    SessionRow,
    SignInChallengeRow,
    UserGrantRow,
)
from paimon.infrastructure.database.row_query import RowQuery
from paimon.infrastructure.database.sessions import WriteSession

_LOCK: Final = 0x5061696D_75736572  # "Paimuser"
_ONE_ROW: Final = select(literal(1)).subquery()
_FIRST: Final = (
    select(FirstSuperAdminRow.address, FirstSuperAdminRow.name)
    .order_by(FirstSuperAdminRow.id.desc())
    .limit(1)
    .subquery("first")
)
_NEWEST: Final = select(UserGrantRow.id, UserGrantRow.signature).order_by(UserGrantRow.id.desc()).limit(1).subquery("newest")
_COUNT: Final = select(func.count()).select_from(UserGrantRow).scalar_subquery()


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The first super_admin and the newest stored grant. Its signature covers the digest of the grant before, and so on.

    `grants` is the number of stored grants: one that commits after a later one, which may be forged, changes it.
    """

    first: User | None
    id: int | None
    signature: bytes | None
    grants: int


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A wallet's session, the head of the grants, which say who the user is, and the database's time."""

    session: Session | None
    head: ChainHead
    now: datetime


def _head_of(row: Any) -> ChainHead:
    first = None if row.first_address is None else User(Address(row.first_address), UserRole.SUPER_ADMIN, row.first_name)
    return ChainHead(first, row.grant_id, row.signature, row.grants)


_HEAD_COLUMNS: Final = (
    _FIRST.c.address.label("first_address"),
    _FIRST.c.name.label("first_name"),
    _NEWEST.c.id.label("grant_id"),
    _NEWEST.c.signature.label("signature"),
    _COUNT.label("grants"),
)

_SESSION_COLUMNS: Final = tuple(getattr(SessionRow, field.name).label(f"session_{field.name}") for field in fields(Session))


def _session_of(row: Any) -> Session | None:
    if row.session_id is None:
        return None
    return to_session({field.name: getattr(row, f"session_{field.name}") for field in fields(Session)})


def to_session(values: Mapping[str, Any]) -> Session:
    """Make a session from the columns of its row."""
    times = {name: as_utc(value) for name, value in values.items() if isinstance(value, datetime)}
    return Session(**{**values, "address": Address(values["address"]), **times})


def user_record_of(row: Any, session: Session | None = None) -> UserRecord:
    """Make a record from a row with the `RECORD_COLUMNS`."""
    return UserRecord(session, _head_of(row), as_utc(row.now))


RECORD_COLUMNS: Final = (func.now().label("now"), *_HEAD_COLUMNS)


USER_RECORD: Final = RowQuery(
    select(*RECORD_COLUMNS, *_SESSION_COLUMNS).select_from(
        _ONE_ROW.outerjoin(SessionRow, and_(SessionRow.id == bindparam("session"), SessionRow.address == bindparam("address")))
        .outerjoin(_FIRST, true())
        .outerjoin(_NEWEST, true())
    ),
    lambda row: user_record_of(row, _session_of(row)),
)
"""What every request needs, in one query: the session, the head of the grants, the database's time."""


def with_head(table: type[ApiKeyRow]) -> FromClause:
    """Join the head of the grants to a table."""
    return inspect(table).local_table.outerjoin(_FIRST, true()).outerjoin(_NEWEST, true())


_HEAD: Final = select(*_HEAD_COLUMNS).select_from(_ONE_ROW.outerjoin(_FIRST, true()).outerjoin(_NEWEST, true()))


_CHAIN_ROLES: Final = {role.id: role for role in OnChainRole}


async def list_chain_roles(session: AsyncSession, address: Address) -> frozenset[ChainRole]:
    """Return the roles on the fund's contracts that this wallet holds at the last recorded block, which is final."""
    return (await list_chain_roles_of(session, [address])).get(address, frozenset())


async def list_chain_roles_of(session: AsyncSession, addresses: Collection[Address]) -> dict[Address, frozenset[ChainRole]]:
    """Return the roles of these wallets on the fund's contracts; a wallet without any is absent."""
    query = select(RoleHolderRow.account, RoleHolderRow.contract, RoleHolderRow.role).where(
        in_values(RoleHolderRow.__table__.c.account, addresses), in_values(RoleHolderRow.__table__.c.role, _CHAIN_ROLES)
    )
    held: dict[Address, set[ChainRole]] = {}
    for account, contract, role in await session.execute(query):
        held.setdefault(Address(account), set()).add(ChainRole(contract, _CHAIN_ROLES[Hash32(role)]))
    return {address: frozenset(roles) for address, roles in held.items()}


def _permissions(names: Iterable[str]) -> frozenset[Permission]:
    return frozenset(map(Permission, names))


async def insert_first_super_admin(session: WriteSession, user: User) -> None:
    """Name the first super_admin, as the owner of the tables. An earlier one and every grant in its chain no longer count."""
    session.add(FirstSuperAdminRow(address=user.address, name=user.name))
    await session.flush()


async def find_chain_head(session: AsyncSession) -> ChainHead:
    return _head_of((await session.execute(_HEAD)).one())


async def list_first_super_admins(session: AsyncSession) -> list[User]:
    """List every first super_admin whom the owner of the tables ever named, the one who counts now last."""
    rows = await session.scalars(select(FirstSuperAdminRow).order_by(FirstSuperAdminRow.id))
    return [User(Address(row.address), UserRole.SUPER_ADMIN, row.name) for row in rows]


async def lock_grants(session: WriteSession) -> None:
    """Let no other grant be added until the transaction ends: each names the one before it."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def list_grants(session: AsyncSession) -> list[SignedGrant]:
    """List every stored grant in the order in which they came."""
    rows = await session.scalars(select(UserGrantRow).order_by(UserGrantRow.id).execution_options(populate_existing=True))
    return [
        SignedGrant(
            row.id,
            Grant(
                user=Address(row.address),
                role=row.role,
                name=row.name,
                sequence=row.sequence,
                previous=Hash32(row.previous),
                terms=SignatureTerms(Hash32(row.nonce), as_utc(row.expires_at)),
                granted=_permissions(row.granted),
                denied=_permissions(row.denied),
            ),
            Address(row.granted_by),
            row.signature,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A stored grant as people read it: what it made of a user, who signed it, and when."""

    id: int
    role: UserRole | None
    name: str
    granted: frozenset[Permission]
    denied: frozenset[Permission]
    granted_by: Address
    granted_at: datetime


async def list_grant_records(session: AsyncSession, address: Address) -> list[GrantRecord]:
    """List the grants about a user, latest first."""
    query = select(UserGrantRow).where(UserGrantRow.address == address).order_by(UserGrantRow.id.desc())
    return [
        GrantRecord(
            row.id,
            row.role,
            row.name,
            _permissions(row.granted),
            _permissions(row.denied),
            Address(row.granted_by),
            as_utc(row.granted_at),
        )
        for row in await session.scalars(query)
    ]


async def insert_grant(session: WriteSession, grant: Grant, evidence: SignatureEvidence) -> None:
    """Insert a grant with what was signed."""
    session.add(
        UserGrantRow(
            address=grant.user,
            role=grant.role,
            name=grant.name,
            sequence=grant.sequence,
            previous=grant.previous,
            granted=sorted(grant.granted),
            denied=sorted(grant.denied),
            granted_by=evidence.signer,
            nonce=evidence.terms.nonce,
            typed_data=evidence.document,
            signature=evidence.signature,
            expires_at=evidence.terms.expires_at,
        )
    )
    await session.flush()


async def use_challenge(
    session: WriteSession, nonce: str, address: Address, message: str, *, now: datetime, expires_at: datetime
) -> bool:
    """Record the use of a challenge, and delete the records of expired ones. Of two calls at once only one returns True."""
    await session.execute(delete(SignInChallengeRow).where(SignInChallengeRow.expires_at < now))
    values = {"nonce": nonce, "address": address, "message": message, "expires_at": expires_at, "used_at": now}
    statement = insert(SignInChallengeRow).values(values).on_conflict_do_nothing().returning(SignInChallengeRow.nonce)
    return (await session.execute(statement)).scalar_one_or_none() is not None
