import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { healthQuery, outboxQuery, quarantineQuery } from '../api/queries'
import { OUTBOX_STATUSES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Page, Pager, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { RedemptionLink, Status, Time, TxHash } from '../ui/values'
import { Actions } from '../wallet/Actions'

const route = getRouteApi('/system')

export function SystemPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.system')}>
      <Health />
      <Quarantine />
      <Queue />
    </Page>
  )
}

function Health() {
  const { t } = useI18n()
  const health = useQuery(healthQuery)
  return (
    <Panel title={t('system.components')} aside={health.data ? <Status of={health.data.status} /> : null}>
      <Loaded query={health}>
        {({ components }) => (
          <DataTable
            label={t('system.components')}
            rows={components}
            rowKey={({ name }) => name}
            empty={t('ui.loading')}
            columns={[
              { name: 'name', head: t('system.component'), cell: ({ name }) => t(`component.${name}` as Key) || name },
              { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
              {
                name: 'summary',
                head: t('system.summary'),
                cell: ({ summary, details }) =>
                  Object.keys(details).length === 0 ? (
                    summary
                  ) : (
                    <details>
                      <summary>{summary}</summary>
                      <pre className={ui.document}>{JSON.stringify(details, null, 2)}</pre>
                    </details>
                  ),
              },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Quarantine() {
  const { t } = useI18n()
  const quarantine = useQuery(quarantineQuery)
  return (
    <Panel title={t('quarantine.title')} aside={<CsvButton path="/api/v1/system/quarantine" />}>
      <Loaded query={quarantine}>
        {({ items }) => (
          <DataTable
            label={t('quarantine.title')}
            rows={items}
            rowKey={({ blockNumber, logIndex }) => `${blockNumber}/${logIndex}`}
            empty={t('quarantine.none')}
            columns={[
              { name: 'log', head: t('column.block'), cell: ({ blockNumber, logIndex }) => `${blockNumber} / ${logIndex}` },
              { name: 'event', head: t('quarantine.event'), cell: ({ contract, event }) => `${contract}.${event ?? '?'}` },
              { name: 'request', head: t('column.request'), cell: ({ requestId }) => (requestId === null ? '–' : <RedemptionLink requestId={requestId} />) },
              { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
              { name: 'reason', head: t('quarantine.reason'), cell: ({ reason }) => reason ?? '' },
              { name: 'tx', head: t('intent.attempts'), cell: ({ txHash }) => <TxHash of={txHash} /> },
              {
                name: 'actions',
                head: t('actions.title'),
                cell: ({ blockNumber, logIndex, status }) => (
                  <Actions resource={`/system/quarantine/${blockNumber}/${logIndex}`} actions={status === 'SKIPPED' ? ['release_log'] : ['release_log', 'skip_log']} />
                ),
              },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Queue() {
  const { t } = useI18n()
  const { outbox, page } = route.useSearch()
  const navigate = route.useNavigate()
  const messages = useQuery(outboxQuery(outbox, page ?? 1))
  return (
    <Panel
      title={t('queue.title')}
      aside={
        <NativeSelect
          size="xs"
          aria-label={t('column.status')}
          value={outbox ?? ''}
          onChange={(event) => void navigate({ search: { outbox: (event.currentTarget.value || undefined) as Schemas['OutboxStatus'] | undefined } })}
          data={[{ value: '', label: t('filter.allStatuses') }, ...OUTBOX_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
        />
      }
    >
      <Loaded query={messages}>
        {({ items, pagination }) => (
          <>
            <DataTable
              label={t('queue.title')}
              rows={items}
              rowKey={({ id }) => `${id}`}
              empty={t('queue.none')}
              columns={[
                { name: 'id', head: '#', right: true, cell: ({ id }) => id },
                { name: 'kind', head: t('queue.message'), cell: ({ kind, aggregateId }) => `${kind} ${aggregateId}` },
                { name: 'priority', head: t('queue.priority'), cell: ({ priority }) => priority },
                { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
                { name: 'attempts', head: t('queue.attempts'), right: true, cell: ({ attempts }) => attempts },
                { name: 'created', head: t('column.time'), cell: ({ createdAt }) => <Time at={createdAt} /> },
                {
                  name: 'actions',
                  head: t('queue.lastError'),
                  cell: ({ id, status, lastError }) => (
                    <>
                      {lastError ?? ''}
                      {status === 'DEAD_LETTERED' ? <Actions resource={`/system/outbox/${id}`} actions={['replay_message']} /> : null}
                    </>
                  ),
                },
              ]}
            />
            <Pager page={page ?? 1} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: (previous) => ({ ...previous, page: next }) })} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}
