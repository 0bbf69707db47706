import { Button, TextInput } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import { zeroAddress } from 'viem'
import { api, read, type Schemas } from '../api/client'
import { bpsOf, countOf } from '../format/amounts'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Time } from '../ui/values'
import { isSameGate } from './gate'
import { scenarioOf } from './scenario'

type Report = Schemas['GateReportView']

const LIMIT_BPS_MAX = 10_000
const WINDOW_DAYS_MAX = 90
const COLUMNS = ['firstDay', 'endDay', 'allowed', 'cash', 'asked', 'paid', 'waiting'] as const
const route = getRouteApi('/liquidity')

/** What a gate on redemptions would do: how much each window pays, and when each investor is paid. The contracts have none. */
export function Gate() {
  const { t } = useI18n()
  const right = useRight('handle_risk')
  return (
    <Panel title={t('gate.title')}>
      <WhyNot right={right} />
      {right.isAllowed ? <GateForm /> : null}
    </Panel>
  )
}

function GateForm() {
  const { t } = useI18n()
  const search = route.useSearch()
  const [limit, setLimit] = useState('10')
  const [days, setDays] = useState('30')
  const [tried, setTried] = useState(false)
  const limitBps = bpsOf(limit)
  const windowDays = countOf(days)
  const isLimit = limitBps !== null && limitBps <= LIMIT_BPS_MAX
  const isWindow = windowDays !== null && windowDays >= 1 && windowDays <= WINDOW_DAYS_MAX
  const scenario = scenarioOf(search, t)
  const asked = isLimit && isWindow ? { limitBps, windowDays, ...(scenario === null ? {} : { scenario }) } : null
  const gate = useMutation({ mutationFn: (body: Schemas['GateBody']) => read(api.POST('/api/v1/risk/gate', { body })) })
  const run = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (asked !== null) gate.mutate(asked)
  }
  return (
    <>
      <p className={ui.note}>{t(scenario === null ? 'gate.intro' : 'gate.introScenario', { scenario: scenario?.name ?? '' })}</p>
      <form onSubmit={run}>
        <div className={ui.filters}>
          <TextInput
            label={t('gate.limit')}
            inputMode="decimal"
            value={limit}
            error={tried && !isLimit ? t('stress.partFault') : undefined}
            onChange={(event) => setLimit(event.currentTarget.value)}
          />
          <TextInput
            label={t('gate.window')}
            inputMode="numeric"
            value={days}
            error={tried && !isWindow ? t('stress.wholeFault', { least: 1, most: WINDOW_DAYS_MAX }) : undefined}
            onChange={(event) => setDays(event.currentTarget.value)}
          />
        </div>
        <div className={ui.actions}>
          <Button type="submit" size="xs" loading={gate.isPending}>
            {t('gate.go')}
          </Button>
        </div>
      </form>
      {gate.error ? <ProblemNotice error={gate.error} /> : null}
      {gate.data !== undefined && isSameGate(gate.variables, asked) ? <Result report={gate.data} /> : null}
    </>
  )
}

function Result({ report }: { report: Report }) {
  const { t } = useI18n()
  const { windows, investors, daysToClear, contractCan, asOf, note } = report
  if (windows.length === 0) return <Empty>{t('gate.nothing')}</Empty>
  return (
    <>
      <p>{daysToClear === null ? t('gate.neverClear') : t('gate.clears', { days: daysToClear })}</p>
      {contractCan ? null : <p className={ui.note}>{t('gate.contractCannot')}</p>}
      <div className={ui.actions}>
        <RowsCsvButton name="paimon-gate.csv" rows={() => [COLUMNS, ...windows.map((window) => COLUMNS.map((column) => window[column]))]} />
      </div>
      <DataTable
        label={t('gate.windows')}
        rows={windows}
        rowKey={({ firstDay }) => `${firstDay}`}
        empty={t('gate.nothing')}
        columns={[
          { name: 'days', head: t('ladder.dayHead'), right: true, cell: ({ firstDay, endDay }) => `${firstDay} – ${endDay - 1}` },
          { name: 'allowed', head: t('gate.allowed'), right: true, cell: ({ allowed }) => <Amount raw={allowed} /> },
          { name: 'cash', head: t('ladder.realisable'), right: true, cell: ({ cash }) => <Amount raw={cash} /> },
          { name: 'asked', head: t('gate.asked'), right: true, cell: ({ asked }) => <Amount raw={asked} /> },
          { name: 'paid', head: t('gate.paid'), right: true, cell: ({ paid }) => <Amount raw={paid} /> },
          { name: 'waiting', head: t('gate.waiting'), right: true, cell: ({ waiting }) => <Amount raw={waiting} /> },
        ]}
      />
      <DataTable
        label={t('gate.investors')}
        rows={investors}
        rowKey={({ owner }) => owner}
        empty={t('gate.nothing')}
        columns={[
          { name: 'owner', head: t('gate.investor'), cell: ({ owner }) => (owner === zeroAddress ? t('gate.ofScenario') : <Address of={owner} />) },
          { name: 'asked', head: t('gate.asked'), right: true, cell: ({ asked }) => <Amount raw={asked} /> },
          { name: 'first', head: t('gate.paidFirst'), right: true, cell: ({ paidInFirstWindow }) => <Amount raw={paidInFirstWindow} /> },
          { name: 'by', head: t('gate.paidBy'), right: true, cell: ({ paidByDay }) => (paidByDay === null ? t('gate.notInAYear') : t('ladder.day', { day: paidByDay })) },
        ]}
      />
      <p className={ui.note}>
        {t('ui.asOfBlock', { number: asOf.number })} · <Time at={asOf.timestamp} />
        {note === null ? '' : ` · ${note}`}
      </p>
    </>
  )
}
