import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Schemas } from '../api/client'
import { indicatorHistoryQuery, riskStatusQuery } from '../api/queries'
import { Emergencies } from '../emergency/Emergencies'
import { ratioToPlotNumber } from '../format/amounts'
import { formatUtc, serverNowMs, utcDay } from '../format/time'
import { useI18n, type Key } from '../i18n'
import { DataTable, Empty, Loaded, Page, Panel, Tile } from '../ui/layout'
import { LineChart } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Status, Time } from '../ui/values'
import { indicatorName, measured } from './indicators'
import { RiskEvents } from './RiskEvents'

type RiskStatus = Schemas['RiskStatusView']
type Indicator = Schemas['IndicatorView']

const GROUPS = ['liquidity', 'price', 'concentration', 'redemption', 'operational'] as const

/** The fund's risk: its level and why, each indicator against its thresholds, and the events that people handle. */
export function RiskPage() {
  const { t } = useI18n()
  const status = useQuery(riskStatusQuery)
  return (
    <Page title={t('section.risk')} aside={status.data ? <Status of={status.data.overallLevel} /> : null}>
      <Loaded query={status}>
        {(risk) => (
          <>
            <Level risk={risk} />
            {GROUPS.map((group) => (
              <Group key={group} name={group} group={risk.indicators[group]} />
            ))}
          </>
        )}
      </Loaded>
      <RiskEvents />
      <Emergencies />
    </Page>
  )
}

function Level({ risk }: { risk: RiskStatus }) {
  const { t } = useI18n()
  return (
    <>
      <div className={ui.tiles}>
        <Tile label={t('risk.level')} note={<>{t('risk.since')} <Time at={risk.levelSince} /></>}>
          <Status of={risk.overallLevel} />
        </Tile>
        <Tile label={t('risk.score')} note={t('risk.scoreNote')}>
          {risk.overallScore}
        </Tile>
        <Tile label={t('risk.indicated')} note={risk.lowerSince === null ? undefined : <>{t('risk.lowerSince')} <Time at={risk.lowerSince} /></>}>
          <Status of={risk.indicatedLevel} />
        </Tile>
      </div>
      {risk.conditions.length === 0 ? null : (
        <Alert color="orange" title={t('risk.why')}>
          {risk.conditions.map(({ level, indicator, value, limit }) => (
            <div key={`${level}${indicator}`}>
              {t('risk.condition', { level: t(`status.${level}` as Key) || level, indicator: indicatorName(indicator, t), value: measured(value), limit: measured(limit) })}
            </div>
          ))}
        </Alert>
      )}
      <p className={ui.note}>
        {t('ui.asOfBlock', { number: risk.blockNumber })} · <Time at={risk.lastUpdated} /> · {t('risk.policy', { version: risk.policyVersion })}
      </p>
    </>
  )
}

function Group({ name, group }: { name: (typeof GROUPS)[number]; group: Schemas['IndicatorGroupView'] }) {
  const { t } = useI18n()
  return (
    <Panel title={t(`risk.${name}`)} aside={<Status of={group.status} />}>
      <DataTable
        label={t(`risk.${name}`)}
        rows={group.indicators}
        rowKey={(indicator) => indicator.name}
        empty={t('assets.none')}
        columns={[
          { name: 'name', head: t('risk.indicator'), cell: (indicator) => <IndicatorDetail indicator={indicator} /> },
          { name: 'value', head: t('risk.value'), right: true, cell: ({ value }) => (value === null ? '–' : measured(value)) },
          { name: 'normal', head: t('risk.normal'), right: true, cell: ({ threshold }) => limitText(threshold, 'normal') },
          { name: 'critical', head: t('risk.critical'), right: true, cell: ({ threshold }) => limitText(threshold, 'critical') },
          { name: 'status', head: t('column.status'), cell: ({ status }) => <Status of={status} /> },
        ]}
      />
    </Panel>
  )
}

function limitText(threshold: Schemas['ThresholdView'] | null, end: 'normal' | 'critical'): string {
  if (threshold === null) return '–'
  const isLowBad = threshold.bad === 'low'
  const sign = end === 'normal' ? (isLowBad ? '≥' : '≤') : isLowBad ? '<' : '>'
  return `${sign} ${threshold[end]}`
}

function IndicatorDetail({ indicator }: { indicator: Indicator }) {
  const { t } = useI18n()
  const [isOpen, setOpen] = useState(false)
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{indicatorName(indicator.name, t)}</summary>
      {indicator.note === null ? null : <p className={ui.note}>{indicator.note}</p>}
      {isOpen ? <History name={indicator.name} /> : null}
    </details>
  )
}

const DAYS = 30
const DAY_MS = 86_400_000

function History({ name }: { name: Indicator['name'] }) {
  const { t } = useI18n()
  const history = useQuery(indicatorHistoryQuery(name, utcDay(serverNowMs() - DAYS * DAY_MS)))
  return (
    <Loaded query={history}>
      {({ points }) => {
        const drawn = points
          .map(({ time, last }) => ({ at: Date.parse(time), y: ratioToPlotNumber(last), text: `${formatUtc(time)}: ${last}` }))
          .filter(({ y }) => Number.isFinite(y))
        return drawn.length === 0 ? <Empty>{t('risk.noHistory')}</Empty> : <LineChart label={indicatorName(name, t)} points={drawn} />
      }}
    </Loaded>
  )
}
