import { Button, NativeSelect } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { api, read, type Schemas } from '../api/client'
import { riskEventsQuery } from '../api/queries'
import { RISK_STATUSES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { useRight } from '../session/rights'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Panel, ProblemNotice } from '../ui/layout'
import { Status, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'

const route = getRouteApi('/risk')

export function RiskEvents() {
  const { t } = useI18n()
  const { risk } = route.useSearch()
  const navigate = route.useNavigate()
  const events = useQuery(riskEventsQuery(risk, 1))
  return (
    <Panel
      title={t('risk.title')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('column.status')}
            value={risk ?? ''}
            onChange={(event) => void navigate({ search: (previous) => ({ ...previous, risk: (event.currentTarget.value || undefined) as Schemas['RiskStatus'] | undefined }) })}
            data={[{ value: '', label: t('filter.allStatuses') }, ...RISK_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
          />
          <CsvButton path="/api/v1/risk/events" query={{ status: risk }} />
        </>
      }
    >
      <Loaded query={events}>
        {({ items }) => (
          <DataTable
            label={t('risk.title')}
            rows={items}
            rowKey={({ id }) => `${id}`}
            empty={t('risk.none')}
            columns={[
              { name: 'severity', head: t('risk.severity'), cell: ({ severity }) => <Status of={severity} /> },
              { name: 'kind', head: t('risk.kind'), cell: ({ kind, subject }) => <>{kind} · {subject}</> },
              { name: 'observed', head: t('risk.observed'), cell: ({ observed, expected }) => <>{observed} ({t('risk.expected')} {expected})</> },
              { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
              { name: 'since', head: t('risk.since'), cell: ({ firstSeenAt }) => <Time at={firstSeenAt} /> },
              { name: 'actions', head: t('actions.title'), cell: (event) => <EventActions event={event} /> },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function EventActions({ event }: { event: Schemas['RiskEventView'] }) {
  const { t } = useI18n()
  const right = useRight('handle_risk')
  const client = useQueryClient()
  const acknowledge = useMutation({
    mutationFn: () => read(api.POST('/api/v1/risk/events/{eventId}/acknowledge', { params: { path: { eventId: event.id } }, body: {} })),
    onSettled: () => client.invalidateQueries({ queryKey: ['risk'] }),
  })
  if (event.status === 'RESOLVED') return event.note ?? ''
  return (
    <>
      {event.status === 'OPEN' && right.isAllowed ? (
        <Button size="xs" variant="default" loading={acknowledge.isPending} onClick={() => acknowledge.mutate()}>
          {t('risk.acknowledge')}
        </Button>
      ) : null}
      {acknowledge.error ? <ProblemNotice error={acknowledge.error} /> : null}
      <Actions
        resource={`/risk/events/${event.id}`}
        actions={['resolve_risk_event']}
        permission={event.kind === 'CONTRACT_CHANGED' ? 'administer_fund' : undefined}
      />
    </>
  )
}
