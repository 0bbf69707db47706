import { Button, Checkbox, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import type { Schemas } from '../api/client'
import { stressQuery } from '../api/queries'
import { bpsPercent, percent } from '../format/amounts'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount, RedemptionLink, Status, Time } from '../ui/values'
import { draftOf, faultsOf, FALLS, LEAVING_MAX, RUN_DAYS_MAX, scenarioOf, searchOf, type Draft, type Part } from './scenario'

type Result = Schemas['ScenarioResultView']

const route = getRouteApi('/liquidity')
const CSV_COLUMNS = ['name', 'keepsEveryPromise', 'netAssets', 'outflow', 'shortfall', 'smallestRunBps'] as const

/** What would happen in scenarios: the standard ones, and one of one's own, which is in the URL so that it can be shared. */
export function StressTests() {
  const { t } = useI18n()
  const right = useRight('handle_risk')
  return (
    <>
      <Panel title={t('stress.title')}>
        <WhyNot right={right} />
        {right.isAllowed ? <OwnScenario /> : null}
      </Panel>
      {right.isAllowed ? <Results title={t('stress.standard')} scenarios={[]} file="paimon-stress-standard.csv" /> : null}
    </>
  )
}

function OwnScenario() {
  const { t } = useI18n()
  const search = route.useSearch()
  const navigate = route.useNavigate()
  const [draft, setDraft] = useState(() => draftOf(search))
  const [tried, setTried] = useState(false)
  const scenario = scenarioOf(search, t)
  const faults = faultsOf(draft)
  const run = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (faults.size === 0) void navigate({ search: ({ horizon }) => ({ horizon, ...searchOf(draft) }), resetScroll: false })
  }
  const field = (name: Part | 'days' | 'leaving', label: string, fault: string) => (
    <TextInput
      key={name}
      label={label}
      inputMode="decimal"
      value={draft[name]}
      error={tried && faults.has(name) ? fault : undefined}
      onChange={(event) => setDraft({ ...draft, [name]: event.currentTarget.value } satisfies Draft)}
    />
  )
  return (
    <>
      <p className={ui.note}>{t('stress.intro')}</p>
      <form onSubmit={run}>
        <div className={ui.filters}>
          {field('run', t('stress.run'), t('stress.partFault'))}
          {field('days', t('stress.days'), t('stress.wholeFault', { least: 1, most: RUN_DAYS_MAX }))}
          {FALLS.map((part) => field(part, t(`stress.${part}`), t('stress.partFault')))}
          {field('leaving', t('stress.leaving'), t('stress.wholeFault', { least: 0, most: LEAVING_MAX }))}
        </div>
        <div className={ui.actions}>
          <Checkbox
            label={t('stress.frozen')}
            checked={draft.frozen}
            onChange={(event) => setDraft({ ...draft, frozen: event.currentTarget.checked })}
          />
          <Button type="submit" size="xs">
            {t('stress.go')}
          </Button>
        </div>
      </form>
      {scenario === null ? null : <Results title={t('stress.own')} scenarios={[scenario]} file="paimon-stress-own.csv" />}
    </>
  )
}

function Results({ title, scenarios, file }: { title: string; scenarios: readonly Schemas['ScenarioBody'][]; file: string }) {
  const { t } = useI18n()
  const report = useQuery(stressQuery(scenarios))
  const rows = () => [CSV_COLUMNS, ...(report.data?.scenarios ?? []).map((result) => CSV_COLUMNS.map((column) => result[column]))]
  return (
    <Panel title={title} aside={<RowsCsvButton name={file} rows={rows} />}>
      <Loaded query={report}>
        {({ scenarios: results, note, asOf }) => (
          <>
            <DataTable
              label={title}
              rows={results}
              rowKey={({ name }) => name}
              empty={t('assets.none')}
              columns={[
                { name: 'name', head: t('stress.scenario'), wide: true, cell: ({ name }) => name },
                { name: 'kept', head: t('stress.promises'), cell: (result) => <Outcome result={result} /> },
                { name: 'outflow', head: t('stress.outflow'), right: true, cell: ({ outflow }) => <Amount raw={outflow} /> },
                { name: 'shortage', head: t('liquidity.firstShortage'), cell: ({ shortage }) => (shortage === null ? '–' : <Time at={shortage.endsAt} />) },
                { name: 'shortfall', head: t('stress.missing'), right: true, cell: ({ shortfall }) => <Amount raw={shortfall} /> },
                { name: 'left', head: t('stress.left'), cell: ({ tiers }) => <TiersLeft tiers={tiers} /> },
                { name: 'smallest', head: t('stress.smallestRun'), right: true, cell: ({ smallestRunBps: bps }) => (bps === null ? t('stress.noRun') : bpsPercent(bps)) },
              ]}
            />
            <p className={ui.note}>
              {t('ui.asOfBlock', { number: asOf.number })} · <Time at={asOf.timestamp} />
              {note === null ? '' : ` · ${note}`}
            </p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Outcome({ result: { keepsEveryPromise, broken } }: { result: Result }) {
  return (
    <>
      <Status of={keepsEveryPromise ? 'KEPT' : 'BROKEN'} />
      {broken.map(({ requestId }) => (
        <span key={requestId}>
          {' '}
          <RedemptionLink requestId={requestId} />
        </span>
      ))}
    </>
  )
}

function TiersLeft({ tiers }: { tiers: Result['tiers'] }) {
  return tiers.map(({ tier, ratio }) => (
    <div key={tier} className={ui.number}>
      {tier} {percent(ratio, 1)}
    </div>
  ))
}
