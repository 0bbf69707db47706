import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { planQuery } from '../api/queries'
import { useSymbolOf } from '../assets/symbols'
import { bpsPercent } from '../format/amounts'
import { formatUtc } from '../format/time'
import { useI18n, type Key, type Translate } from '../i18n'
import { PlanProgress } from '../transactions/PlanProgress'
import { RowsCsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Facts, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Status, Time } from '../ui/values'
import { savedByPlan } from './saved'
import { TIERS } from './targets'
import { TierShares } from './TierShares'

export type Decision = Schemas['RebalanceView']
type Action = Schemas['ActionView']

const CSV_COLUMNS = ['type', 'asset', 'fromLayer', 'toLayer', 'amount', 'estimatedCost', 'estimatedSlippage', 'settlesInDays', 'reason', 'saved', 'isLeft'] as const

/** One decision that was submitted: what it trades and why, how its plan stands, and what came of it. */
export function DecisionPanel({ title, decision }: { title: string; decision: Decision }) {
  return (
    <Panel title={title} aside={<Status of={decision.status} />}>
      <DecisionDetail decision={decision} />
      {decision.planId === null ? null : <PlanOf planId={decision.planId} />}
    </Panel>
  )
}

function PlanOf({ planId }: { planId: string }) {
  const { t } = useI18n()
  const plan = useQuery(planQuery(planId))
  return (
    <>
      <h3 className={ui.subtitle}>
        <Link to="/transactions/plans/$planId" params={{ planId }}>
          {t('plan.toPage')}
        </Link>
      </h3>
      <Loaded query={plan}>{(data) => <PlanProgress plan={data} />}</Loaded>
    </>
  )
}

export function DecisionDetail({ decision }: { decision: Decision }) {
  const { t } = useI18n()
  const { outcome } = decision
  const columns = [
    { name: t('rebalance.before'), shares: decision.preState },
    { name: t('rebalance.expected'), shares: decision.expectedState },
    ...(outcome === null ? [] : [{ name: t('rebalance.afterwards'), shares: outcome.postState }]),
  ]
  return (
    <>
      <Warnings decision={decision} />
      <TierShares label={t('rebalance.shares')} columns={columns} target={decision.targetState} file={`paimon-rebalance-${decision.id}-shares.csv`} />
      <Trades decision={decision} />
      <Facts of={[...factsOf(decision, t), ...(outcome === null ? [] : outcomeFacts(outcome, t))]} />
    </>
  )
}

/** What a person must know before they sign: limits that the plan does not keep, and a method that is not the best one. */
function Warnings({ decision: { brokenLimits, conflict, method } }: { decision: Decision }) {
  const { t } = useI18n()
  const symbolOf = useSymbolOf()
  return (
    <>
      {brokenLimits.length === 0 ? null : (
        <Alert color="orange" title={t('rebalance.broken')}>
          {brokenLimits.map(({ limit, subject, amount }) => (
            <div key={`${limit}${subject}`}>
              {t(`limit.${limit}` as Key) || limit}: {subject.startsWith('0x') ? symbolOf(subject) : subject} <Amount raw={amount} unit="USDT" />
            </div>
          ))}
          {conflict.length === 0 ? null : <div>{t('rebalance.conflict', { limits: conflict.map((limit) => t(`limit.${limit}` as Key) || limit).join(', ') })}</div>}
        </Alert>
      )}
      {method === 'greedy' ? <Alert color="yellow" title={t('rebalance.greedy')} /> : null}
    </>
  )
}

function Trades({ decision }: { decision: Decision }) {
  const { t } = useI18n()
  const symbolOf = useSymbolOf()
  const { actions } = decision
  if (actions.length === 0) return <Empty>{decision.closeReason ?? t('rebalance.noTrades')}</Empty>
  const side = ({ type, fromLayer, toLayer }: Action) => t(type === 'sell' ? 'rebalance.sell' : 'rebalance.buy', { tier: type === 'sell' ? fromLayer : toLayer })
  const why = ({ reason, isLeft }: Action) => {
    const words = t(`tradeReason.${reason}` as Key) || reason
    return isLeft ? t('rebalance.left', { reason: words }) : words
  }
  return (
    <>
      <div className={ui.actions}>
        <RowsCsvButton
          name={`paimon-rebalance-${decision.id}.csv`}
          rows={() => [CSV_COLUMNS, ...actions.map((action) => CSV_COLUMNS.map((column) => action[column]))]}
        />
      </div>
      <DataTable
        label={`${t('rebalance.trades')}, ${formatUtc(decision.createdAt)}`}
        rows={actions}
        rowKey={({ type, asset }) => `${type}${asset}`}
        empty={t('rebalance.noTrades')}
        columns={[
          { name: 'side', head: t('rebalance.step'), cell: side },
          { name: 'asset', head: t('assets.asset'), cell: ({ asset }) => <Link to="/assets/$token" params={{ token: asset }}>{symbolOf(asset)}</Link> },
          { name: 'amount', head: t('column.amount'), right: true, cell: ({ amount }) => <Amount raw={amount} /> },
          { name: 'why', head: t('rebalance.why'), wide: true, cell: why },
          { name: 'cost', head: t('rebalance.cost'), right: true, cell: ({ estimatedCost }) => <Amount raw={estimatedCost} /> },
          { name: 'slippage', head: t('rebalance.costPart'), right: true, cell: ({ estimatedSlippage }) => bpsPercent(estimatedSlippage) },
          { name: 'saved', head: t('rebalance.saved'), right: true, cell: ({ saved }) => <Amount raw={saved} /> },
          { name: 'settles', head: t('rebalance.cashIn'), right: true, cell: ({ settlesInDays }) => t('rebalance.days', { days: settlesInDays }) },
        ]}
      />
    </>
  )
}

type Fact = Parameters<typeof Facts>[0]['of'][number]

function factsOf(decision: Decision, t: Translate): Fact[] {
  const saved = savedByPlan(decision.actions)
  const isTrading = decision.actions.length > 0
  return [
    [t('rebalance.trigger'), t(`trigger.${decision.trigger}` as Key) || decision.trigger],
    [t('rebalance.because'), decision.reason],
    isTrading ? [t('rebalance.moves'), <Amount key="m" raw={decision.totalAmount} unit="USDT" />] : null,
    isTrading ? [t('rebalance.totalCost'), <Amount key="c" raw={decision.estimatedCost} unit="USDT" />] : null,
    isTrading ? [t('rebalance.gas'), <Amount key="g" raw={decision.estimatedGasCost} unit="USDT" />] : null,
    isTrading ? [t('rebalance.totalSaved'), <Amount key="s" raw={saved.toString()} unit="USDT" />] : null,
    decision.performanceFee === '0' ? null : [t('rebalance.performanceFee'), <Amount key="f" raw={decision.performanceFee} unit="USDT" />],
    !decision.solver ? null : [t('rebalance.method'), decision.solver],
    [t('rebalance.askedBy'), decision.requestedBy === null ? t('rebalance.planner') : <Address key="a" of={decision.requestedBy} />],
    [
      t('rebalance.decidedAt'),
      <span key="d">
        <Time at={decision.createdAt} /> · {t('ui.asOfBlock', { number: decision.at.number })}
      </span>,
    ],
    decision.closedAt === null ? null : [t('ticket.closed'), <Time key="e" at={decision.closedAt} />],
    decision.closeReason === null || !isTrading ? null : [t('rebalance.endedBecause'), decision.closeReason],
  ]
}

function outcomeFacts(outcome: Schemas['OutcomeView'], t: Translate): Fact[] {
  return [
    [t('rebalance.asExpected'), <Status key="o" of={outcome.isAsExpected ? 'AS_EXPECTED' : 'NOT_AS_EXPECTED'} />],
    [t('rebalance.difference'), TIERS.map((tier) => `${tier} ${bpsPercent(outcome.differences[tier])}`).join(', ')],
    [t('rebalance.tradesDone'), outcome.trades],
    [t('rebalance.realCost'), <Amount key="r" raw={outcome.cost} unit="USDT" />],
    [t('rebalance.excessCost'), bpsPercent(outcome.excessCost)],
    [t('rebalance.realGas'), <Amount key="w" raw={outcome.gasCostWei} unit="BNB" places={6} />],
  ]
}
