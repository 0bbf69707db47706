import { NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { redemptionsQuery, type RedemptionChannel, type RedemptionStatus } from '../api/queries'
import { CHANNELS, REDEMPTION_STATUSES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Page, Pager, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, ChainCountdown, RedemptionLink, Status, Time } from '../ui/values'

const CLOSED: readonly RedemptionStatus[] = ['SETTLED', 'CANCELLED', 'REJECTED']

const route = getRouteApi('/redemptions')

export function RedemptionsPage() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const { page = 1, ...filter } = search
  const redemptions = useQuery(redemptionsQuery({ ...filter, page }))
  return (
    <Page title={t('section.redemptions')} aside={<CsvButton path="/api/v1/redemptions" query={filter} />}>
      <Panel>
        <Filters />
        <Loaded query={redemptions}>
          {({ items, pagination }) => (
            <>
              <DataTable
                label={t('section.redemptions')}
                rows={items}
                rowKey={({ requestId }) => requestId}
                empty={t('redemption.none')}
                columns={[
                  { name: 'request', head: t('column.request'), cell: ({ requestId }) => <RedemptionLink requestId={requestId} /> },
                  { name: 'status', head: t('column.status'), cell: ({ status, quarantined }) => <><Status of={status} /> {quarantined ? <Status of="QUARANTINED" /> : null}</> },
                  { name: 'channel', head: t('column.channel'), cell: ({ channel }) => <Status of={channel} /> },
                  { name: 'owner', head: t('redemption.owner'), cell: ({ owner }) => <Address of={owner} /> },
                  { name: 'amount', head: t('column.amount'), right: true, cell: ({ grossAmount }) => <Amount raw={grossAmount} /> },
                  { name: 'requested', head: t('column.requested'), cell: ({ requestedAt }) => <Time at={requestedAt} /> },
                  { name: 'settles', head: t('column.settles'), cell: ({ settlementAt, status }) => (settlementAt === null ? '–' : CLOSED.includes(status) ? <Time at={settlementAt} /> : <ChainCountdown until={settlementAt} />) },
                ]}
              />
              <Pager page={page} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { ...search, page: next } })} />
            </>
          )}
        </Loaded>
      </Panel>
    </Page>
  )
}

/** Filters live in the URL, so that a view can be shared. */
function Filters() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const set = (change: Partial<typeof search>) => void navigate({ search: { ...search, page: undefined, ...change } })
  return (
    <div className={ui.filters} role="search">
      <NativeSelect
        label={t('column.status')}
        value={search.status ?? ''}
        onChange={(event) => set({ status: (event.currentTarget.value || undefined) as RedemptionStatus | undefined })}
        data={[{ value: '', label: t('filter.allStatuses') }, ...REDEMPTION_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
      />
      <NativeSelect
        label={t('column.channel')}
        value={search.channel ?? ''}
        onChange={(event) => set({ channel: (event.currentTarget.value || undefined) as RedemptionChannel | undefined })}
        data={[{ value: '', label: t('filter.allChannels') }, ...CHANNELS.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
      />
      <TextInput
        label={t('redemption.owner')}
        placeholder="0x…"
        key={search.owner ?? ''}
        defaultValue={search.owner ?? ''}
        onBlur={(event) => set({ owner: event.currentTarget.value.trim() || undefined })}
        onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
      />
      <TextInput type="date" label={t('filter.from')} value={search.startDate ?? ''} onChange={(event) => set({ startDate: event.currentTarget.value || undefined })} />
      <TextInput type="date" label={t('filter.to')} value={search.endDate ?? ''} onChange={(event) => set({ endDate: event.currentTarget.value || undefined })} />
    </div>
  )
}
