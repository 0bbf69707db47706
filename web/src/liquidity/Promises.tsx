import type { Schemas } from '../api/client'
import { useSymbolOf } from '../assets/symbols'
import { useI18n } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, ChainCountdown, RedemptionLink, Status, Time } from '../ui/values'

type Promised = Schemas['PromiseView']

/** The promise ledger: what each open request is owed, when, and what pays it. */
export function Promises({ promises, note }: { promises: readonly Promised[]; note: string | null }) {
  const { t } = useI18n()
  return (
    <Panel title={t('promises.title')} aside={<CsvButton path="/api/v1/risk/promises" />}>
      <PromisesTable promises={promises} />
      {note === null ? null : <p className={ui.note}>{note}</p>}
    </Panel>
  )
}

export function PromisesTable({ promises }: { promises: readonly Promised[] }) {
  const { t } = useI18n()
  return (
    <DataTable
      label={t('promises.title')}
      rows={promises}
      rowKey={({ requestId }) => requestId}
      empty={t('promises.none')}
      columns={[
        { name: 'request', head: t('column.request'), cell: ({ requestId }) => <RedemptionLink requestId={requestId} /> },
        { name: 'owner', head: t('redemption.owner'), cell: ({ owner }) => <Address of={owner} /> },
        { name: 'amount', head: t('column.amount'), right: true, cell: ({ amount }) => <Amount raw={amount} /> },
        { name: 'due', head: t('promises.due'), cell: (promise) => <Due promise={promise} /> },
        { name: 'in', head: t('column.in'), cell: ({ dueAt, awaitsApproval }) => (awaitsApproval ? '–' : <ChainCountdown until={dueAt} />) },
        { name: 'funding', head: t('promises.paidFrom'), cell: ({ funding }) => <Funding parts={funding} /> },
        { name: 'shortfall', head: t('promises.shortfall'), right: true, cell: ({ shortfall }) => <Amount raw={shortfall} /> },
        { name: 'status', head: t('column.status'), cell: ({ broken }) => <Status of={broken ? 'BROKEN' : 'COVERED'} /> },
      ]}
    />
  )
}

function Due({ promise: { dueAt, awaitsApproval } }: { promise: Promised }) {
  const { t } = useI18n()
  if (!awaitsApproval) return <Time at={dueAt} />
  return (
    <>
      {t('promises.earliest')} <Time at={dueAt} />
    </>
  )
}

function Funding({ parts }: { parts: readonly Schemas['FundingView'][] }) {
  const { t } = useI18n()
  const symbolOf = useSymbolOf()
  return parts.map(({ tier, token, amount }) => (
    <div key={`${tier}${token}`}>
      {tier} {token === null ? t('overview.cash') : symbolOf(token)} <Amount raw={amount} />
    </div>
  ))
}
