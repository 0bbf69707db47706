import { Alert, Button, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState, type FormEvent } from 'react'
import { api, read, type Schemas } from '../api/client'
import { bpsPercent } from '../format/amounts'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { PreviewResult } from './PreviewResult'
import { draftOfShares, targetsOf, TIERS, type Targets, type Tier } from './targets'

/** Plan with the fund's targets or own ones, look at what would happen, and submit it by a signature. */
export function Preview({ state }: { state: Schemas['RebalanceStatusView'] }) {
  const { t } = useI18n()
  const right = useRight('execute_plan')
  return (
    <Panel title={t('rebalance.preview')}>
      <WhyNot right={right} />
      {right.isAllowed ? <PreviewForm state={state} /> : null}
    </Panel>
  )
}

function PreviewForm({ state }: { state: Schemas['RebalanceStatusView'] }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const [draft, setDraft] = useState(() => draftOfShares(state.targetState))
  const [tried, setTried] = useState(false)
  const targets = targetsOf(draft)
  const preview = useMutation({
    mutationFn: (targetRatios: Schemas['TargetRatiosBody']) => read(api.POST('/api/v1/rebalance/preview', { body: { targetRatios } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['rebalance'] }),
  })
  const ask = (event: FormEvent) => {
    event.preventDefault()
    setTried(true)
    if (targets.kind === 'valid') preview.mutate(targets.targets)
  }
  const faultOf = (tier: Tier) => (tried && targets.kind === 'unreadable' && targets.tiers.includes(tier) ? t('stress.partFault') : undefined)
  return (
    <>
      <p className={ui.note}>{t('rebalance.previewIntro')}</p>
      <form onSubmit={ask}>
        <div className={ui.filters}>
          {TIERS.map((tier) => (
            <TextInput
              key={tier}
              label={t('rebalance.targetOf', { tier })}
              inputMode="decimal"
              value={draft[tier]}
              error={faultOf(tier)}
              onChange={(event) => setDraft({ ...draft, [tier]: event.currentTarget.value })}
            />
          ))}
        </div>
        {tried ? <SumFault targets={targets} /> : null}
        <div className={ui.actions}>
          <Button type="submit" size="xs" loading={preview.isPending}>
            {t('rebalance.doPreview')}
          </Button>
          <Button size="xs" variant="default" onClick={() => setDraft(draftOfShares(state.targetState))}>
            {t('rebalance.fundTargets')}
          </Button>
        </div>
      </form>
      {preview.error ? <ProblemNotice error={preview.error} /> : null}
      {preview.data === undefined ? null : <PreviewResult key={preview.data.rebalance.id} previewed={preview.data} onEnd={() => preview.reset()} />}
    </>
  )
}

function SumFault({ targets }: { targets: Targets }) {
  const { t } = useI18n()
  return targets.kind === 'sum' ? <Alert color="red" role="alert" title={t('rebalance.sumFault', { sum: bpsPercent(targets.bps) })} /> : null
}
