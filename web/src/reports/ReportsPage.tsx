/** Every version of every report, and which report a file is. */
import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { reportsQuery } from '../api/queries'
import { REPORT_KINDS, REPORT_STATUSES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Page, Pager, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Status, Time } from '../ui/values'
import type { Report } from './files'
import { Statements } from './Statements'
import { VerifyFile } from './VerifyFile'

const route = getRouteApi('/reports')

export function ReportsPage() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const { page = 1, ...filter } = search
  const reports = useQuery(reportsQuery(filter, page))
  const set = (change: Partial<typeof search>) => void navigate({ search: { ...search, page: undefined, ...change } })
  return (
    <Page title={t('section.reports')} aside={<CsvButton path="/api/v1/reports" query={filter} />}>
      <Panel>
        <div className={ui.filters} role="search">
          <NativeSelect
            size="xs"
            label={t('reports.kind')}
            value={filter.kind ?? ''}
            onChange={(event) => set({ kind: REPORT_KINDS.find((kind) => kind === event.currentTarget.value) })}
            data={[{ value: '', label: t('reports.everyKind') }, ...REPORT_KINDS.map((value) => ({ value, label: t(`reports.kind.${value}` as Key) }))]}
          />
          <NativeSelect
            size="xs"
            label={t('column.status')}
            value={filter.status ?? ''}
            onChange={(event) => set({ status: REPORT_STATUSES.find((status) => status === event.currentTarget.value) })}
            data={[{ value: '', label: t('filter.allStatuses') }, ...REPORT_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
          />
        </div>
        <Loaded query={reports}>
          {({ items, pagination }) => (
            <>
              <DataTable
                label={t('section.reports')}
                rows={items}
                rowKey={({ id }) => `${id}`}
                empty={t('reports.none')}
                columns={[
                  { name: 'report', head: t('reports.report'), cell: (report) => <ReportLink report={report} /> },
                  { name: 'version', head: t('reports.version'), right: true, cell: ({ version }) => version },
                  { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
                  { name: 'why', head: t('reports.why'), wide: true, cell: ({ draftReasons }) => draftReasons.map((reason) => t(`draft.${reason}` as Key)).join('; ') },
                  { name: 'blocks', head: t('reports.blocks'), right: true, cell: ({ openingBlock, closingBlock }) => (closingBlock === null ? '–' : `${openingBlock ?? '–'} – ${closingBlock}`) },
                  { name: 'made', head: t('reports.made'), cell: ({ madeAt }) => <Time at={madeAt} /> },
                ]}
              />
              <Pager page={page} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { ...search, page: next } })} />
            </>
          )}
        </Loaded>
        <p className={ui.note}>{t('reports.schedule')}</p>
      </Panel>
      <Statements />
      <VerifyFile />
    </Page>
  )
}

function ReportLink({ report: { kind, firstDay, version } }: { report: Report }) {
  const { t } = useI18n()
  return (
    <Link to="/reports/$kind/$day" params={{ kind, day: firstDay }} search={{ version }}>
      {t(`reports.title.${kind}` as Key, { day: firstDay })}
    </Link>
  )
}
