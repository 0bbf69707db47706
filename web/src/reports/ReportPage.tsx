/** One version of a report: its files with their hashes, why it is a draft, and its main figures. All figures are in the files. */
import { Alert, Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { reportDataQuery, reportQuery } from '../api/queries'
import { percent } from '../format/amounts'
import { useI18n, type Key } from '../i18n'
import { DataTable, Empty, Facts, Loaded, Page, Panel, ProblemNotice, Tile } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { CopyButton, Decimal, Hash, Status, Time } from '../ui/values'
import { contentOf, type Block } from './content'
import { downloadFile, type Report } from './files'

const NAV_PLACES = 6

const route = getRouteApi('/reports/$kind/$day')

export function ReportPage() {
  const { t } = useI18n()
  const { kind, day } = route.useParams()
  const { version } = route.useSearch()
  const report = useQuery(reportQuery(kind, day, version))
  return (
    <Page title={t(`reports.title.${kind}` as Key, { day: report.data?.firstDay ?? day })} aside={report.data ? <Status of={report.data.status} /> : null}>
      <Loaded query={report}>
        {(found) =>
          found === null ? (
            <Empty>{t('reports.noVersion')}</Empty>
          ) : (
            <>
              {found.draftReasons.length === 0 ? null : (
                <Alert color="orange" title={t('reports.isDraft')}>
                  {found.draftReasons.map((reason) => t(`draft.${reason}` as Key)).join('; ')}
                </Alert>
              )}
              <About report={found} />
              <Files report={found} />
              <Figures report={found} />
            </>
          )
        }
      </Loaded>
    </Page>
  )
}

function About({ report }: { report: Report }) {
  const { t } = useI18n()
  const { kind, firstDay, lastDay, version, madeAt } = report
  const data = useQuery(reportDataQuery(report)).data
  const { opening, closing } = data === undefined ? { opening: null, closing: null } : contentOf(data)
  return (
    <Panel title={t('reports.about')}>
      <Facts
        of={[
          [t('reports.period'), firstDay === lastDay ? firstDay : `${firstDay} – ${lastDay}`],
          [
            t('reports.version'),
            <>
              {version}
              {version > 1 ? (
                <>
                  {' · '}
                  <Link to="/reports/$kind/$day" params={{ kind, day: firstDay }} search={{ version: version - 1 }}>
                    {t('reports.before')}
                  </Link>
                </>
              ) : null}
              {' · '}
              <Link to="/reports/$kind/$day" params={{ kind, day: firstDay }}>
                {t('reports.newest')}
              </Link>
            </>,
          ],
          [t('reports.made'), <Time key="m" at={madeAt} />],
          opening === null ? null : [t('reports.opening'), <AtBlock key="o" block={opening} />],
          closing === null ? null : [t('reports.closing'), <AtBlock key="c" block={closing} />],
        ]}
      />
    </Panel>
  )
}

function AtBlock({ block: { number, hash, time } }: { block: Block }) {
  return (
    <>
      {number} <CopyButton text={hash} what={hash} /> <Time at={time} />
    </>
  )
}

function Files({ report }: { report: Report }) {
  const { t } = useI18n()
  const download = useMutation({ mutationFn: (file: Schemas['ReportFileView']) => downloadFile(report, file) })
  return (
    <Panel title={t('reports.files')}>
      <p className={ui.note}>{t('reports.filesText')}</p>
      {download.error ? <ProblemNotice error={download.error} /> : null}
      <DataTable
        label={t('reports.files')}
        rows={report.files}
        rowKey={({ sha256 }) => sha256}
        empty={t('reports.noFiles')}
        columns={[
          {
            name: 'file',
            head: t('reports.format'),
            cell: (file) => (
              <Button size="xs" variant="default" loading={download.isPending && download.variables === file} onClick={() => download.mutate(file)}>
                {t('reports.download', { format: file.format.toUpperCase(), language: file.language === null ? '' : t(`reports.language.${file.language}` as Key) })}
              </Button>
            ),
          },
          { name: 'size', head: t('reports.size'), right: true, cell: ({ size }) => t('reports.bytes', { size: size.toLocaleString('en') }) },
          { name: 'hash', head: 'SHA-256', cell: ({ sha256 }) => <Hash of={sha256} /> },
        ]}
      />
    </Panel>
  )
}

function Figures({ report }: { report: Report }) {
  const { t } = useI18n()
  const query = useQuery(reportDataQuery(report))
  return (
    <Loaded query={query}>
      {(data) => {
        const { summary, change, flows, liquidity, promises, risk, checks } = contentOf(data)
        return (
          <>
            <div className={ui.tiles}>
              {summary === null ? null : (
                <>
                  <Tile label={t('overview.nav')} note={<>{t('reports.change')} <Decimal text={summary.navChange} places={NAV_PLACES} /></>}>
                    <Decimal text={summary.closingNav} places={NAV_PLACES} unit="USDT" />
                  </Tile>
                  <Tile label={t('overview.aum')} note={<>{t('reports.change')} <Decimal text={summary.aumChange} /></>}>
                    <Decimal text={summary.closingAum} unit="USDT" />
                  </Tile>
                  <Tile label={t('overview.supply')}>
                    <Decimal text={summary.closingShares} />
                  </Tile>
                </>
              )}
              {flows === null ? null : (
                <Tile label={t('reports.netFlow')}>
                  <Decimal text={flows.netFlow} unit="USDT" />
                </Tile>
              )}
              {promises === null ? null : (
                <Tile label={t('reports.open')} note={t('reports.requests', { count: promises.open.count })}>
                  <Decimal text={promises.open.amount} unit="USDT" />
                </Tile>
              )}
              {risk === null ? null : (
                <Tile label={t('risk.title')} note={t('reports.eventsOpened', { count: risk.eventsOpened })}>
                  {t('reports.eventsOpen', { count: risk.eventsOpen })}
                </Tile>
              )}
            </div>
            {change === null ? null : (
              <Panel title={t('reports.whyChanged')}>
                <DataTable
                  label={t('reports.whyChanged')}
                  rows={change.parts}
                  rowKey={({ group }) => group}
                  empty={t('reports.noChange')}
                  columns={[
                    { name: 'cause', head: t('reports.cause'), cell: ({ group }) => t(`group.${group}` as Key) || group },
                    { name: 'amount', head: t('column.amount'), right: true, cell: ({ amount }) => <Decimal text={amount} /> },
                    { name: 'perShare', head: t('reports.perShare'), right: true, cell: ({ perShare }) => <Decimal text={perShare} places={NAV_PLACES} /> },
                    { name: 'events', head: t('reports.events'), right: true, cell: ({ events }) => events },
                  ]}
                />
              </Panel>
            )}
            {liquidity === null ? null : (
              <Panel title={t('overview.tiers')}>
                <DataTable
                  label={t('overview.tiers')}
                  rows={liquidity.tiers}
                  rowKey={({ tier }) => tier}
                  empty={t('assets.none')}
                  columns={[
                    { name: 'tier', head: t('assets.tier'), cell: ({ tier }) => tier },
                    { name: 'value', head: t('assets.value'), right: true, cell: ({ value }) => <Decimal text={value} /> },
                    { name: 'ratio', head: t('assets.ratio'), right: true, cell: ({ ratio }) => percent(ratio) },
                    { name: 'band', head: t('liquidity.band'), right: true, cell: ({ minimum, maximum }) => `${percent(minimum, 0)} – ${percent(maximum, 0)}` },
                    { name: 'status', head: t('column.status'), cell: ({ withinBand }) => <Status of={withinBand ? 'WITHIN_BAND' : 'OUTSIDE_BAND'} /> },
                  ]}
                />
              </Panel>
            )}
            <Panel title={t('reports.checks')}>
              <DataTable
                label={t('reports.checks')}
                rows={checks}
                rowKey={({ name }) => name}
                empty={t('reports.noChecks')}
                columns={[
                  { name: 'check', head: t('reports.check'), cell: ({ name }) => t(`check.${name}` as Key) || name },
                  { name: 'left', head: t('reports.left'), right: true, cell: ({ left }) => <Decimal text={left} places={NAV_PLACES} /> },
                  { name: 'right', head: t('reports.right'), right: true, cell: ({ right }) => <Decimal text={right} places={NAV_PLACES} /> },
                  { name: 'holds', head: t('reports.holds'), cell: ({ holds }) => <Status of={holds ? 'OK' : 'BROKEN'} /> },
                ]}
              />
            </Panel>
            <Omitted of={data.omitted} />
          </>
        )
      }}
    </Loaded>
  )
}

function Omitted({ of }: { of: Schemas['ReportDataView']['omitted'] }) {
  const { t } = useI18n()
  const sections = Object.entries(of)
  if (sections.length === 0) return null
  return (
    <Panel title={t('reports.omitted')}>
      <ul>
        {sections.map(([section, reason]) => (
          <li key={section}>
            {section}: {t(`draft.${reason}` as Key) || reason}
          </li>
        ))}
      </ul>
    </Panel>
  )
}
