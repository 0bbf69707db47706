import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, read } from '../api/client'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import type { Decision } from './Decision'
import { PreviewResult, type Previewed } from './PreviewResult'

/** Offer to plan the trades that undo a rebalance which has traded. The API knows whether another one undoes it already. */
export function ReverseButton({ decision, onPreviewed }: { decision: Decision; onPreviewed: (previewed: Previewed) => void }) {
  const { t } = useI18n()
  const right = useRight('execute_plan')
  const client = useQueryClient()
  const preview = useMutation({
    mutationFn: () => read(api.POST('/api/v1/rebalance/{rebalanceId}/reverse', { params: { path: { rebalanceId: decision.id } } })),
    onSuccess: onPreviewed,
    onSettled: () => client.invalidateQueries({ queryKey: ['rebalance'] }),
  })
  if (decision.outcome === null || decision.outcome.trades === 0) return null
  return (
    <>
      <h3 className={ui.subtitle}>{t('rebalance.reversal')}</h3>
      <p className={ui.note}>{t('rebalance.reversalNote')}</p>
      {preview.error ? <ProblemNotice error={preview.error} /> : null}
      <WhyNot right={right} />
      {right.isAllowed ? (
        <div className={ui.actions}>
          <Button size="xs" variant="default" loading={preview.isPending} onClick={() => preview.mutate()}>
            {t('rebalance.reverse')}
          </Button>
        </div>
      ) : null}
    </>
  )
}

/** The trades that would undo a rebalance, at the prices of now. Nothing is undone before the plan is signed and executed. */
export function Reversal({ previewed, onEnd }: { previewed: Previewed; onEnd: () => void }) {
  const { t } = useI18n()
  return (
    <section aria-label={t('rebalance.reversal')}>
      <PreviewResult previewed={previewed} onEnd={onEnd} />
    </section>
  )
}
