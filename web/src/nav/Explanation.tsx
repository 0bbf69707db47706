import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { navExplainQuery } from '../api/queries'
import { useI18n, type Key, type Translate } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Facts, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount, Time, TxHash } from '../ui/values'
import { Waterfall } from './Waterfall'

type Attribution = Schemas['NavAttributionView']
type Line = Schemas['NavAttributionLineView']

/** Why net assets changed between two snapshots: a waterfall, its table, and below each line the events that made it. */
export function Explanation(range: { startDate: string; endDate: string | undefined }) {
  const { t } = useI18n()
  const explained = useQuery(navExplainQuery(range))
  return (
    <Panel title={t('nav.why')} aside={<CsvButton path="/api/v1/fund/nav/explain" query={{ ...range }} />}>
      <Loaded query={explained}>{(attribution) => <Explained attribution={attribution} />}</Loaded>
    </Panel>
  )
}

export function groupName(group: string, t: Translate): string {
  return t(`group.${group}` as Key) || group
}

function Explained({ attribution }: { attribution: Attribution }) {
  const { t } = useI18n()
  const { from, to, lines } = attribution
  const moved = lines.filter(({ amount }) => amount !== '0')
  return (
    <>
      <Facts
        of={[
          [t('nav.before'), <End key="f" of={from} />],
          [t('nav.after'), <End key="t" of={to} />],
          [t('nav.change'), <Amount key="c" raw={attribution.change} unit="USDT" />],
          [t('nav.changePerShare'), <Amount key="s" raw={attribution.changePerShare} places={8} unit="USDT" />],
        ]}
      />
      {attribution.unexplained ? <Alert color="red" title={t('nav.unexplained')} /> : null}
      <Waterfall attribution={attribution} />
      <DataTable
        label={t('nav.why')}
        rows={moved}
        rowKey={({ group }) => group}
        empty={t('nav.unchanged')}
        columns={[
          { name: 'group', head: t('nav.cause'), cell: (line) => <LineDetail line={line} /> },
          { name: 'amount', head: t('column.amount'), right: true, cell: ({ amount }) => <Amount raw={amount} /> },
          { name: 'perShare', head: t('nav.perShare'), right: true, cell: ({ perShare }) => <Amount raw={perShare} places={8} /> },
        ]}
      />
      <p className={ui.note}>{t('nav.addsUp', { intervals: attribution.intervals })}</p>
    </>
  )
}

function End({ of: end }: { of: Schemas['NavEndpointView'] }) {
  const { t } = useI18n()
  return (
    <>
      <Amount raw={end.totalAssets} unit="USDT" /> · {t('ui.asOfBlock', { number: end.blockNumber })} · <Time at={end.time} />
    </>
  )
}

function LineDetail({ line }: { line: Line }) {
  const { t } = useI18n()
  return (
    <details id={`cause-${line.group}`}>
      <summary>{groupName(line.group, t)}</summary>
      {line.components.map((component) => (
        <div key={`${component.kind}${component.token}`}>
          {component.kind} <Amount raw={component.amount} unit="USDT" />
          <ul>
            {component.events.map((event) => (
              <li key={`${event.txHash}${event.logIndex}`}>
                {t('ui.asOfBlock', { number: event.blockNumber })} · <Time at={event.time} /> · <TxHash of={event.txHash} />
              </li>
            ))}
          </ul>
          {component.eventCount > component.events.length ? (
            <p className={ui.note}>{t('nav.moreEvents', { count: component.eventCount - component.events.length })}</p>
          ) : null}
        </div>
      ))}
    </details>
  )
}
