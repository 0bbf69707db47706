import type { ReactNode } from 'react'
import type { Schemas } from '../api/client'
import { bpsPercent, formatRaw, parseRaw } from '../format/amounts'
import { useI18n, type Key, type Translate } from '../i18n'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { FUND_DECIMALS, Status, Time } from '../ui/values'
import { unitOf } from './conditions'

type TriggerState = Schemas['TriggerView']

const CSV_COLUMNS = ['name', 'trigger', 'figure', 'threshold', 'isMet', 'answer', 'quietUntil', 'heldBy', 'heldBySubject', 'reason', 'firedAt', 'judgedAt'] as const

/** Each condition that starts a plan: its figure against the threshold, and why it started a plan or did not. */
export function Triggers({ triggers }: { triggers: readonly TriggerState[] }) {
  const { t } = useI18n()
  return (
    <Panel
      title={t('rebalance.triggers')}
      aside={<RowsCsvButton name="paimon-rebalance-triggers.csv" rows={() => [CSV_COLUMNS, ...triggers.map((row) => CSV_COLUMNS.map((column) => row[column]))]} />}
    >
      <DataTable
        label={t('rebalance.triggers')}
        rows={triggers}
        rowKey={({ name }) => name}
        empty={t('assets.none')}
        columns={[
          { name: 'condition', head: t('rebalance.condition'), cell: ({ name }) => t(`condition.${name}` as Key) || name },
          { name: 'trigger', head: t('rebalance.trigger'), cell: ({ trigger }) => t(`trigger.${trigger}` as Key) || trigger },
          { name: 'figure', head: t('rebalance.figure'), right: true, cell: ({ name, figure }) => measured(name, figure, t) },
          { name: 'threshold', head: t('rebalance.firesAt'), right: true, cell: (row) => firesAt(row, t) },
          { name: 'met', head: t('column.status'), cell: ({ isMet }) => <Status of={isMet ? 'MET' : 'NOT_MET'} /> },
          { name: 'why', head: t('rebalance.whyNot'), wide: true, cell: (row) => <span title={row.reason}>{why(row, t)}</span> },
          { name: 'fired', head: t('rebalance.firedAt'), cell: ({ firedAt }) => (firedAt === null ? '–' : <Time at={firedAt} />) },
        ]}
      />
      <p className={ui.note}>{t('rebalance.triggersNote')}</p>
    </Panel>
  )
}

function measured(name: TriggerState['name'], figure: string, t: Translate): string {
  const unit = unitOf(name)
  if (unit === 'amount') return `${formatRaw(parseRaw(figure), FUND_DECIMALS)} USDT`
  return unit === 'bps' ? bpsPercent(parseRaw(figure)) : t('rebalance.count', { count: figure })
}

function firesAt({ name, threshold }: TriggerState, t: Translate): string {
  return t(name === 'l1_below' ? 'rebalance.below' : 'rebalance.above', { threshold: measured(name, threshold, t) })
}

/** Why a condition starts no plan now. An answer of a newer API is shown as the planner's own sentence. */
function why({ answer, quietUntil, heldBy, heldBySubject, reason }: TriggerState, t: Translate): ReactNode {
  const text = t(`triggerAnswer.${answer}` as Key) || reason
  if (answer === 'held_back') return t(`triggerHold.${heldBy}` as Key, { subject: heldBySubject ?? '' }) || reason
  if (quietUntil === null) return text
  return (
    <>
      {text} <Time at={quietUntil} />
    </>
  )
}
