import { NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { navHistoryQuery, type NavInterval } from '../api/queries'
import { ratioToPlotNumber } from '../format/amounts'
import { formatUtc, serverNowMs, utcDay } from '../format/time'
import { INTERVALS } from '../api/values'
import { useI18n } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Loaded, Page, Panel } from '../ui/layout'
import { LineChart } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Decimal, Time } from '../ui/values'
import { Explanation } from './Explanation'

const route = getRouteApi('/nav')
const DAYS = 30
const DAY_MS = 86_400_000

/** NAV over a time, and why it changed. The time and its steps are in the URL; days are UTC days, as the API counts them. */
export function NavPage() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const { interval = 'hourly', startDate = utcDay(serverNowMs() - DAYS * DAY_MS), endDate } = search
  // Without a day in the URL the explanation begins where the shown history does: before the first snapshot there is none.
  const history = useQuery(navHistoryQuery({ interval, startDate, endDate }))
  const firstDay = history.data?.points[0]?.time.slice(0, 10) ?? utcDay(serverNowMs())
  const set = (change: Partial<typeof search>) => void navigate({ search: { ...search, ...change } })
  return (
    <Page title={t('section.nav')}>
      <div className={ui.filters} role="search">
        <NativeSelect
          label={t('nav.interval')}
          value={interval}
          onChange={(event) => set({ interval: event.currentTarget.value as NavInterval })}
          data={INTERVALS.map((value) => ({ value, label: t(`nav.${value}`) }))}
        />
        <TextInput type="date" label={t('filter.from')} value={startDate} onChange={(event) => set({ startDate: event.currentTarget.value || undefined })} />
        <TextInput type="date" label={t('filter.to')} value={endDate ?? ''} onChange={(event) => set({ endDate: event.currentTarget.value || undefined })} />
      </div>
      <History interval={interval} startDate={startDate} endDate={endDate} />
      <Explanation startDate={search.startDate ?? firstDay} endDate={endDate} />
    </Page>
  )
}

function History(range: { interval: NavInterval; startDate: string; endDate: string | undefined }) {
  const { t } = useI18n()
  const history = useQuery(navHistoryQuery(range))
  return (
    <Panel title={t('nav.history')} aside={<CsvButton path="/api/v1/fund/nav/history" query={{ ...range }} />}>
      <Loaded query={history}>
        {({ points, withheld }) => (
          <>
            {withheld === null ? null : <p className={ui.note}>{t('nav.withheld', { count: withheld.count, reason: withheld.reason })}</p>}
            {points.length === 0 ? (
              <Empty>{t('overview.noNav')}</Empty>
            ) : (
              <LineChart
                label={t('overview.nav')}
                points={points.map((point) => ({
                  at: Date.parse(point.time),
                  y: ratioToPlotNumber(point.nav),
                  text: `${formatUtc(point.time)}: ${point.nav}`,
                }))}
              />
            )}
            <details>
              <summary>{t('ui.asTable')}</summary>
              <DataTable
                label={t('nav.history')}
                rows={[...points].reverse()}
                rowKey={({ time }) => time}
                empty={t('overview.noNav')}
                columns={[
                  { name: 'time', head: t('column.time'), cell: ({ time }) => <Time at={time} /> },
                  { name: 'block', head: t('column.block'), right: true, cell: ({ blockNumber }) => blockNumber },
                  { name: 'nav', head: t('overview.nav'), right: true, cell: ({ nav }) => <Decimal text={nav} places={8} /> },
                  { name: 'aum', head: t('overview.aum'), right: true, cell: ({ aum }) => <Decimal text={aum} /> },
                ]}
              />
            </details>
          </>
        )}
      </Loaded>
    </Panel>
  )
}
