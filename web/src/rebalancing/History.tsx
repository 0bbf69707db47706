import { Button, NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { rebalancesQuery } from '../api/queries'
import { REBALANCE_STATUSES, REBALANCE_TRIGGERS } from '../api/values'
import { bpsPercent } from '../format/amounts'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Dialog, Loaded, Pager, Panel } from '../ui/layout'
import { Amount, Status, Time } from '../ui/values'
import { DecisionDetail, type Decision } from './Decision'
import type { Previewed } from './PreviewResult'
import { Reversal, ReverseButton } from './Reversal'
import { TIERS } from './targets'

const route = getRouteApi('/rebalancing')

/** Earlier decisions: what each expected and what the fund looked like afterwards. */
export function History() {
  const { t } = useI18n()
  const { trigger, status, page } = route.useSearch()
  const navigate = route.useNavigate()
  const filter = { trigger, status }
  const history = useQuery(rebalancesQuery(filter, page ?? 1))
  const [shown, setShown] = useState<Decision | null>(null)
  const [reversal, setReversal] = useState<Previewed | null>(null)
  const showReversal = (previewed: Previewed) => {
    setShown(null)
    setReversal(previewed)
  }
  return (
    <Panel
      title={t('rebalance.history')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('rebalance.trigger')}
            value={trigger ?? ''}
            onChange={(event) => void navigate({ search: { ...filter, trigger: REBALANCE_TRIGGERS.find((name) => name === event.currentTarget.value) }, resetScroll: false })}
            data={[{ value: '', label: t('rebalance.allTriggers') }, ...REBALANCE_TRIGGERS.map((name) => ({ value: name, label: t(`trigger.${name}`) }))]}
          />
          <NativeSelect
            size="xs"
            aria-label={t('column.status')}
            value={status ?? ''}
            onChange={(event) => void navigate({ search: { ...filter, status: REBALANCE_STATUSES.find((name) => name === event.currentTarget.value) }, resetScroll: false })}
            data={[{ value: '', label: t('filter.allStatuses') }, ...REBALANCE_STATUSES.map((name) => ({ value: name, label: t(`status.${name}`) }))]}
          />
          <CsvButton path="/api/v1/rebalance/history" query={filter} />
        </>
      }
    >
      <Loaded query={history}>
        {({ items, pagination }) => (
          <>
            <DataTable
              label={t('rebalance.history')}
              rows={items}
              rowKey={({ id }) => id}
              empty={t('rebalance.noHistory')}
              columns={[
                { name: 'decided', head: t('rebalance.decidedAt'), cell: ({ createdAt }) => <Time at={createdAt} /> },
                { name: 'trigger', head: t('rebalance.trigger'), cell: ({ trigger: name }) => t(`trigger.${name}` as Key) || name },
                { name: 'status', head: t('column.status'), cell: ({ status: name }) => <Status of={name} /> },
                { name: 'amount', head: t('column.amount'), right: true, cell: ({ totalAmount }) => <Amount raw={totalAmount} /> },
                { name: 'expected', head: t('rebalance.expected'), cell: ({ expectedState }) => TIERS.map((tier) => bpsPercent(expectedState[tier])).join(' / ') },
                { name: 'actual', head: t('rebalance.afterwards'), cell: ({ outcome }) => (outcome === null ? '–' : TIERS.map((tier) => bpsPercent(outcome.postState[tier])).join(' / ')) },
                { name: 'expectation', head: t('rebalance.asExpected'), cell: ({ outcome }) => (outcome === null ? '–' : <Status of={outcome.isAsExpected ? 'AS_EXPECTED' : 'NOT_AS_EXPECTED'} />) },
                {
                  name: 'plan',
                  head: t('plan.name'),
                  cell: (decision) => (
                    <>
                      {decision.planId === null ? null : (
                        <Link to="/transactions/plans/$planId" params={{ planId: decision.planId }}>
                          {t('plan.open')}
                        </Link>
                      )}{' '}
                      <Button size="compact-xs" variant="default" onClick={() => setShown(decision)}>
                        {t('rebalance.details')}
                      </Button>
                    </>
                  ),
                },
              ]}
            />
            <Pager page={page ?? 1} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { ...filter, page: next } })} />
          </>
        )}
      </Loaded>
      {reversal === null ? null : <Reversal key={reversal.rebalance.id} previewed={reversal} onEnd={() => setReversal(null)} />}
      {shown === null ? null : (
        <Dialog opened title={t('rebalance.decision')} onClose={() => setShown(null)}>
          <DecisionDetail decision={shown} />
          <ReverseButton decision={shown} onPreviewed={showReversal} />
        </Dialog>
      )}
    </Panel>
  )
}
