/** Try one operation: which rule would decide it, by the version in force or by a draft. Nothing is changed. */
import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { policyDraftsQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Status } from '../ui/values'

const KINDS = ['CALL', 'REBALANCE', 'STANDARD_REDEMPTION', 'EMERGENCY_REDEMPTION'] as const satisfies readonly Schemas['OperationKind'][]
const INITIATORS = ['operator', 'admin', 'super_admin', 'planner', 'investor'] as const satisfies readonly Schemas['Initiator'][]
const SOURCES = ['hot', 'warm', 'cold', 'approver'] as const

export function DryRun() {
  const { t } = useI18n()
  const drafts = useQuery(policyDraftsQuery)
  const [operation, setOperation] = useState({ kind: KINDS[0] as Schemas['OperationKind'], initiator: INITIATORS[0] as Schemas['Initiator'], source: 'hot', call: 'AssetController.purchaseAsset', amount: '20000', draft: '' })
  const set = (change: Partial<typeof operation>) => setOperation({ ...operation, ...change })
  const [contract = '', method = ''] = operation.call.split('.')
  const run = useMutation({
    mutationFn: () => {
      const { kind, initiator, source, amount, draft } = operation
      const body = { kind, initiator, source, contract, method, amount: amount.trim(), asset: 'none', destination: 'none', draftId: drafts.data?.items.find(({ id }) => `${id}` === draft)?.id ?? null }
      return read(api.POST('/api/v1/policy/dry-run', { body }))
    },
  })
  return (
    <Panel title={t('policy.dryRun')}>
      <p className={ui.note}>{t('policy.dryRunText')}</p>
      <div className={ui.actions}>
        <NativeSelect label={t('policy.kind')} value={operation.kind} data={[...KINDS]} onChange={(event) => set({ kind: event.currentTarget.value as Schemas['OperationKind'] })} />
        <NativeSelect label={t('policy.initiator')} value={operation.initiator} data={[...INITIATORS]} onChange={(event) => set({ initiator: event.currentTarget.value as Schemas['Initiator'] })} />
        <NativeSelect label={t('policy.source')} value={operation.source} data={[...SOURCES]} onChange={(event) => set({ source: event.currentTarget.value })} />
        <TextInput label={t('policy.call')} value={operation.call} onChange={(event) => set({ call: event.currentTarget.value })} />
        <TextInput label={t('column.amount')} value={operation.amount} onChange={(event) => set({ amount: event.currentTarget.value })} />
        <NativeSelect
          label={t('policy.basis')}
          value={operation.draft}
          data={[{ value: '', label: t('policy.current') }, ...(drafts.data?.items ?? []).map(({ id, title }) => ({ value: `${id}`, label: title }))]}
          onChange={(event) => set({ draft: event.currentTarget.value })}
        />
        <Button disabled={contract === '' || method === ''} loading={run.isPending} onClick={() => run.mutate()}>
          {t('policy.try')}
        </Button>
      </div>
      {run.error ? <ProblemNotice error={run.error} /> : null}
      {run.data === undefined ? null : (
        <div role="status">
          <p>
            <Status of={run.data.verdict} /> {run.data.explanation}
          </p>
          {run.data.notMatched.length === 0 ? null : (
            <details>
              <summary>{t('policy.notMatched')}</summary>
              <ul>
                {run.data.notMatched.map(({ rule, mismatch }) => (
                  <li key={rule}>
                    {rule}: {mismatch}
                  </li>
                ))}
              </ul>
            </details>
          )}
        </div>
      )}
    </Panel>
  )
}
