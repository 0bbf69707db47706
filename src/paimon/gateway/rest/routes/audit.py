"""Endpoints of the audit trail: list entries and roots, show an entry with its proof, prove that the trail only grew."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from paimon.application.audit.queries import AuditFilter, get_consistency, get_proven_entry, list_entries, list_roots
from paimon.domain.audit.entry import AuditOutcome
from paimon.gateway.rest.dependencies import AuditReader, ContextDep
from paimon.gateway.rest.envelope import Envelope, Listing
from paimon.gateway.rest.list_responses import ListRequestDep, list_response, paged_table
from paimon.gateway.rest.openapi import documented_responses, with_csv
from paimon.gateway.rest.schema import AddressText
from paimon.gateway.rest.views.audit import AuditEntryDetailView, AuditEntryView, AuditRootView, ConsistencyView
from paimon.infrastructure.database.paging import PageRequest
from paimon.infrastructure.database.sessions import ReadSession

router = APIRouter(prefix="/audit", tags=["audit"])

_ENTRIES: Final = paged_table("audit", AuditEntryView, Envelope[Listing[AuditEntryView]])
_ROOTS: Final = paged_table("audit_roots", AuditRootView, Envelope[Listing[AuditRootView]])

EntryId = Annotated[int, Path(alias="entryId", ge=1, lt=2**63)]
TreeSize = Annotated[int, Query(ge=1, lt=2**63)]


@router.get(
    "/entries",
    operation_id="listAuditEntries",
    summary="List what was done, by whom, latest first",
    response_model=_ENTRIES.envelope,
    responses=with_csv(_ENTRIES, documented_responses("audit_entries", 400, 401, 403, 503)),
)
async def entries(
    context: ContextDep,
    _user: AuditReader,
    list_request: ListRequestDep,
    operation: Annotated[str | None, Query(max_length=100, description="such as `ticket.vote`")] = None,
    actor: Annotated[AddressText | None, Query(description="only what this person did")] = None,
    outcome: Annotated[AuditOutcome | None, Query()] = None,
    resource: Annotated[
        str | None, Query(max_length=200, description="`ticket/TKT-7F3A`, or `ticket/` for every resource of the kind")
    ] = None,
    since: Annotated[datetime | None, Query(description="from this time on")] = None,
    until: Annotated[datetime | None, Query(description="before this time")] = None,
) -> Any:
    filters = AuditFilter(operation, actor, outcome, resource, since, until)

    async def read(session: ReadSession, page: PageRequest) -> Listing[AuditEntryView]:
        found = await list_entries(session, page, filters)
        return Listing[AuditEntryView].page(found.mapped(AuditEntryView.of))

    return await list_response(context, list_request, _ENTRIES, read)


@router.get(
    "/entries/{entryId}",
    operation_id="getAuditEntry",
    summary="Show an entry with the proof that it is in the tree",
    responses=documented_responses("audit_entry", 400, 401, 403, 404, 503),
)
async def entry(entry_id: EntryId, context: ContextDep, _user: AuditReader) -> Envelope[AuditEntryDetailView]:
    async with context.database.read() as session:
        proven = await get_proven_entry(session, entry_id)
    return Envelope[AuditEntryDetailView](data=AuditEntryDetailView.of_detail(proven))


@router.get(
    "/roots",
    operation_id="listAuditRoots",
    summary="List the roots of the tree, latest first",
    response_model=_ROOTS.envelope,
    responses=with_csv(_ROOTS, documented_responses("audit_roots", 400, 401, 403, 503)),
)
async def roots(context: ContextDep, _user: AuditReader, list_request: ListRequestDep) -> Any:
    """Keep a root outside of this system: an export of later is checked against it."""

    async def read(session: ReadSession, page: PageRequest) -> Listing[AuditRootView]:
        return Listing[AuditRootView].page((await list_roots(session, page)).mapped(AuditRootView.of))

    return await list_response(context, list_request, _ROOTS, read)


@router.get(
    "/consistency",
    operation_id="getAuditConsistency",
    summary="Prove that a later tree begins with an earlier one",
    responses=documented_responses("audit_consistency", 400, 401, 403, 503),
)
async def consistency(
    context: ContextDep,
    _user: AuditReader,
    old_size: Annotated[TreeSize, Query(alias="from", description="entries of the earlier tree")],
    size: Annotated[TreeSize, Query(alias="to", description="entries of the later tree")],
) -> Envelope[ConsistencyView]:
    async with context.database.read() as session:
        found = await get_consistency(session, old_size=old_size, size=size)
    return Envelope[ConsistencyView](data=ConsistencyView.of(found))
