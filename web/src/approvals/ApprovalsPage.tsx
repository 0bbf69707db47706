import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { slaQuery, ticketsQuery, type TicketStatus, type TicketType } from '../api/queries'
import { TICKET_STATUSES, TICKET_TYPES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Page, Pager, Panel, type Column } from '../ui/layout'
import { Amount, Countdown, RedemptionLink, Status, Time } from '../ui/values'
import { openTickets } from './ticket'

const route = getRouteApi('/approvals')

export function ApprovalsPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.approvals')}>
      <Inbox />
      <AllTickets />
      <SlaPanel />
    </Page>
  )
}

function Inbox() {
  const { t } = useI18n()
  const report = useQuery(slaQuery)
  const columns = useTicketColumns()
  return (
    <Panel title={t('approvals.inbox')}>
      <Loaded query={report}>
        {(data) => (
          <DataTable
            label={t('approvals.inbox')}
            rows={openTickets(data)}
            rowKey={({ id }) => id}
            empty={t('approvals.inboxEmpty')}
            columns={columns}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function AllTickets() {
  const { t } = useI18n()
  const { status, type, page } = route.useSearch()
  const navigate = route.useNavigate()
  /** A filter changes what the pages are, so it begins with the first. */
  const show = (changed: { status?: TicketStatus | undefined; type?: TicketType | undefined }) =>
    void navigate({ search: (previous) => ({ ...previous, ...changed, page: undefined }) })
  const tickets = useQuery(ticketsQuery(status, type, page ?? 1))
  const columns = useTicketColumns()
  return (
    <Panel
      title={t('approvals.all')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('column.status')}
            value={status ?? ''}
            onChange={(event) => show({ status: (event.currentTarget.value || undefined) as TicketStatus | undefined })}
            data={[{ value: '', label: t('filter.allStatuses') }, ...TICKET_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
          />
          <NativeSelect
            size="xs"
            aria-label={t('ticket.type')}
            value={type ?? ''}
            onChange={(event) => show({ type: (event.currentTarget.value || undefined) as TicketType | undefined })}
            data={[{ value: '', label: t('filter.allTypes') }, ...TICKET_TYPES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
          />
          <CsvButton path="/api/v1/approvals" query={{ status, type }} />
        </>
      }
    >
      <Loaded query={tickets}>
        {({ items, pagination }) => (
          <>
            <DataTable label={t('approvals.all')} rows={items} rowKey={({ id }) => id} empty={t('approvals.none')} columns={columns} />
            <Pager
              page={page ?? 1}
              total={pagination.total}
              totalPages={pagination.totalPages}
              onPage={(next) => void navigate({ search: (previous) => ({ ...previous, page: next }) })}
            />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function useTicketColumns(): Column<Schemas['TicketView']>[] {
  const { t } = useI18n()
  return [
    { name: 'ticket', head: t('column.ticket'), cell: ({ id }) => <Link to="/approvals/$ticketId" params={{ ticketId: id }}>{id}</Link> },
    { name: 'type', head: t('ticket.type'), cell: ({ type }) => <Status of={type} /> },
    {
      name: 'subject',
      head: t('ticket.about'),
      cell: ({ requestId, plan }) => (requestId === null ? plan?.name : <RedemptionLink requestId={requestId} />),
    },
    { name: 'amount', head: t('column.amount'), right: true, cell: ({ grossAmount }) => <Amount raw={grossAmount} /> },
    { name: 'votes', head: t('column.votes'), right: true, cell: ({ approvals, requiredApprovals }) => `${approvals} / ${requiredApprovals}` },
    { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
    {
      name: 'deadline',
      head: t('column.deadline'),
      cell: ({ closedAt, sla }) => (closedAt === null ? <><Countdown until={sla.deadlineAt} /> {sla.stage === 'ON_TIME' ? null : <Status of={sla.stage} />}</> : <Time at={closedAt} />),
    },
  ]
}

function SlaPanel() {
  const { t } = useI18n()
  const report = useQuery(slaQuery)
  return (
    <Panel title={t('approvals.sla')}>
      <Loaded query={report}>
        {({ figures }) => (
          <DataTable
            label={t('approvals.sla')}
            rows={figures}
            rowKey={({ type }) => type}
            empty={t('approvals.none')}
            columns={[
              { name: 'type', head: t('ticket.type'), cell: ({ type }) => <Status of={type} /> },
              { name: 'opened', head: t('sla.opened'), right: true, cell: ({ opened }) => opened },
              { name: 'waiting', head: t('sla.waiting'), right: true, cell: ({ waiting }) => waiting },
              { name: 'onTime', head: t('sla.onTime'), right: true, cell: ({ decidedOnTime }) => decidedOnTime },
              { name: 'late', head: t('sla.late'), right: true, cell: ({ decidedLate }) => decidedLate },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}
