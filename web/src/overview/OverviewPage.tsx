import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import {
  healthQuery, inboxQuery, layersQuery, navHistoryQuery, overviewQuery, redemptionsQuery, riskStatusQuery,
} from '../api/queries'
import { percent, ratioToPlotNumber } from '../format/amounts'
import { formatUtc, serverNowMs, utcDay } from '../format/time'
import { useI18n, type Key } from '../i18n'
import { DataTable, Empty, Facts, Loaded, Page, Panel, Tile } from '../ui/layout'
import { LineChart } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Amount, ChainCountdown, Countdown, Decimal, RedemptionLink, Status, Time } from '../ui/values'
import { NeedsYou } from './NeedsYou'
import { TierBands } from './TierBands'

const NAV_DAYS = 30
const DAY_MS = 86_400_000

export function OverviewPage() {
  const { t } = useI18n()
  const overview = useQuery(overviewQuery)
  return (
    <Page title={t('section.overview')}>
      <Loaded query={overview}>{(fund) => <Figures fund={fund} />}</Loaded>
      <NeedsYou />
      <div className={ui.grid}>
        <NavPanel />
        <TiersPanel />
      </div>
      <div className={ui.grid}>
        <InboxPanel />
        <PayoutsPanel />
      </div>
      <SystemStrip />
    </Page>
  )
}

function Figures({ fund }: { fund: Schemas['OverviewView'] }) {
  const { t } = useI18n()
  const { paused } = fund
  const stopped = (['vault', 'redemptionManager', 'assetController'] as const).filter((contract) => paused[contract])
  return (
    <>
      {fund.emergencyMode ? <Alert color="red" title={t('overview.emergency')}>{t('overview.emergencyText')}</Alert> : null}
      {stopped.length > 0 ? <Alert color="orange" title={t('overview.paused', { contracts: stopped.join(', ') })} /> : null}
      <div className={ui.tiles}>
        <Tile label={t('overview.nav')} note={<OfficialNav official={fund.official} />}>
          <Decimal text={fund.nav} places={6} unit="USDT" />
        </Tile>
        <Tile label={t('overview.aum')}>
          <Decimal text={fund.aum} unit="USDT" />
        </Tile>
        <Tile label={t('overview.liability')} note={t('overview.liabilityNote')}>
          <Amount raw={fund.totalRedemptionLiability} unit="USDT" />
        </Tile>
        <Tile label={t('overview.supply')}>
          <Amount raw={fund.totalSupply} />
        </Tile>
        <RiskTile />
      </div>
      <p className={ui.note}>
        {t('ui.asOfBlock', { number: fund.block.number })} · <Time at={fund.lastUpdated} />
      </p>
    </>
  )
}

function RiskTile() {
  const { t } = useI18n()
  const risk = useQuery(riskStatusQuery)
  return (
    <Tile label={t('risk.level')} note={<Link to="/risk">{t('risk.toPage')}</Link>}>
      {risk.data ? <Status of={risk.data.overallLevel} /> : '–'}
    </Tile>
  )
}

function OfficialNav({ official }: { official: Schemas['OfficialNavView'] | null }) {
  const { t } = useI18n()
  if (official === null) return t('overview.noOfficial')
  if (official.status === 'WITHHELD') return t('overview.withheld', { reason: official.withheldReason ?? '' })
  return (
    <>
      {t('overview.official')} {official.sharePrice === null ? null : <Amount raw={official.sharePrice} places={6} />}
    </>
  )
}

function NavPanel() {
  const { t } = useI18n()
  const history = useQuery(navHistoryQuery({ interval: 'hourly', startDate: utcDay(serverNowMs() - NAV_DAYS * DAY_MS) }))
  return (
    <Panel title={t('overview.navChart', { days: NAV_DAYS })} aside={<Link to="/nav">{t('overview.toNav')}</Link>}>
      <Loaded query={history}>
        {({ points }) =>
          points.length === 0 ? (
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
          )
        }
      </Loaded>
    </Panel>
  )
}

function TiersPanel() {
  const { t } = useI18n()
  const layers = useQuery(layersQuery)
  return (
    <Panel title={t('overview.tiers')} aside={<Link to="/liquidity">{t('overview.toLiquidity')}</Link>}>
      <Loaded query={layers}>
        {(liquidity) => (
          <>
            <TierBands tiers={liquidity.layers} />
            <Facts
              of={[
                [t('overview.available'), <Amount key="a" raw={liquidity.availableLiquidity} unit="USDT" />],
                [t('overview.cash'), <Amount key="c" raw={liquidity.cash} unit="USDT" />],
                [t('overview.bufferRatio'), liquidity.buffer ? percent(liquidity.buffer.ratio) : '–'],
              ]}
            />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

const SHOWN = 6

function InboxPanel() {
  const { t } = useI18n()
  const inbox = useQuery(inboxQuery)
  return (
    <Panel title={t('overview.inbox')}>
      <Loaded query={inbox}>
        {({ items }) => (
          <DataTable
            label={t('overview.inbox')}
            rows={byDeadline(items).slice(0, SHOWN)}
            rowKey={({ redemption }) => redemption.requestId}
            empty={t('overview.inboxEmpty')}
            columns={[
              { name: 'request', head: t('column.request'), cell: ({ redemption }) => <RedemptionLink requestId={redemption.requestId} /> },
              { name: 'channel', head: t('column.channel'), cell: ({ redemption }) => <Status of={redemption.channel} /> },
              { name: 'amount', head: t('column.amount'), right: true, cell: ({ redemption }) => <Amount raw={redemption.grossAmount} /> },
              { name: 'deadline', head: t('column.deadline'), cell: ({ ticket }) => (ticket ? <Countdown until={ticket.sla.deadlineAt} /> : '–') },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function byDeadline(items: readonly Schemas['AwaitingApprovalView'][]): Schemas['AwaitingApprovalView'][] {
  const deadline = ({ ticket }: Schemas['AwaitingApprovalView']) => ticket?.sla.deadlineAt ?? '9999'
  return [...items].sort((one, other) => deadline(one).localeCompare(deadline(other)))
}

function PayoutsPanel() {
  const { t } = useI18n()
  const pending = useQuery(redemptionsQuery({ status: 'PENDING', page: 1, pageSize: 100 }))
  const approved = useQuery(redemptionsQuery({ status: 'APPROVED', page: 1, pageSize: 100 }))
  return (
    <Panel title={t('overview.payouts')}>
      <Loaded query={pending}>
        {({ items }) => (
          <DataTable
            label={t('overview.payouts')}
            rows={bySettlement([...items, ...(approved.data?.items ?? [])]).slice(0, SHOWN)}
            rowKey={({ requestId }) => requestId}
            empty={t('overview.payoutsEmpty')}
            columns={[
              { name: 'request', head: t('column.request'), cell: ({ requestId }) => <RedemptionLink requestId={requestId} /> },
              { name: 'amount', head: t('column.amount'), right: true, cell: ({ grossAmount }) => <Amount raw={grossAmount} /> },
              { name: 'settles', head: t('column.settles'), cell: ({ settlementAt }) => (settlementAt ? <Time at={settlementAt} /> : '–') },
              { name: 'in', head: t('column.in'), cell: ({ settlementAt }) => (settlementAt ? <ChainCountdown until={settlementAt} /> : '–') },
            ]}
          />
        )}
      </Loaded>
      <p className={ui.note}>{t('overview.chainTime')}</p>
    </Panel>
  )
}

function bySettlement(items: readonly Schemas['RedemptionView'][]): Schemas['RedemptionView'][] {
  return items
    .filter(({ settlementAt }) => settlementAt !== null)
    .sort((one, other) => (one.settlementAt ?? '').localeCompare(other.settlementAt ?? ''))
}

/** What a reader of figures must know of the system: that it follows the chain, how closely, and what is not well. */
const ALWAYS_SHOWN = ['node', 'listener', 'proof']

function SystemStrip() {
  const { t } = useI18n()
  const health = useQuery(healthQuery)
  return (
    <Panel title={t('overview.system')} aside={
        <>
          <Link to="/system">{t('overview.toSystem')}</Link>
          {health.data ? <Status of={health.data.status} /> : null}
        </>
      }>
      <Loaded query={health}>
        {({ components }) => (
          <Facts
            of={components
              .filter(({ name, status }) => ALWAYS_SHOWN.includes(name) || status !== 'OK')
              .map(({ name, status, summary }) => [
                t(`component.${name}` as Key) || name,
                <span key={name}>
                  <Status of={status} /> {summary}
                </span>,
              ])}
          />
        )}
      </Loaded>
    </Panel>
  )
}
