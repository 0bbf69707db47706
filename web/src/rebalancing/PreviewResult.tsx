import { Alert, Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { bpsPercent } from '../format/amounts'
import { useI18n } from '../i18n'
import { PlanCalls, PlanPreview } from '../transactions/PlanPreview'
import ui from '../ui/ui.module.css'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'
import { DecisionDetail } from './Decision'
import { TIERS } from './targets'

export type Previewed = Schemas['RebalancePreviewView']
type Plan = Schemas['PreviewView']

/** A previewed rebalance, or its reversal: what would be traded and who sends it. It is submitted by a signature. */
export function PreviewResult({ previewed, onEnd }: { previewed: Previewed; onEnd: () => void }) {
  const { t } = useI18n()
  const [signing, setSigning] = useState(false)
  const { rebalance, plan } = previewed
  const submit = useMutation({ mutationFn: (signed: SignedDocument) => execute(rebalance.id, signed) })
  if (submit.data !== undefined) return <Submitted submitted={submit.data} onEnd={onEnd} />
  return (
    <>
      <h3 className={ui.subtitle}>{t('rebalance.result')}</h3>
      <DecisionDetail decision={rebalance} />
      {plan === null ? null : (
        <>
          <PlanPreview plan={plan} approvalReason={previewed.approvalReason} />
          <div className={ui.actions}>
            <Button disabled={plan.signing === null} onClick={() => setSigning(true)}>
              {t('plan.submit')}
            </Button>
          </div>
          <p className={ui.note}>{t('rebalance.validity')}</p>
        </>
      )}
      {signing && plan !== null && plan.signing !== null ? (
        <SignDialog
          title={t('plan.submit')}
          document={plan.signing}
          willHappen={<WillHappen previewed={previewed} plan={plan} />}
          reason="none"
          submit={(signed) => submit.mutateAsync(signed)}
          onClose={() => setSigning(false)}
        />
      ) : null}
    </>
  )
}

function execute(rebalanceId: string, signed: SignedDocument): Promise<Schemas['RebalanceExecutedView']> {
  const { nonce, expiresAt, signature } = signedFields(signed)
  const { wallet, amount } = signed.document.message as { wallet: Schemas['PlanWallet']; amount: string }
  return read(api.POST('/api/v1/rebalance/execute', { body: { rebalanceId, wallet, amount, nonce, expiresAt, signature } }))
}

function WillHappen({ previewed: { rebalance }, plan }: { previewed: Previewed; plan: Plan }) {
  const { t } = useI18n()
  return (
    <>
      <p>
        {plan.wallet === null ? null : t(plan.wallet === 'hot' ? 'rebalance.willSend' : 'rebalance.willPropose', { wallet: plan.wallet, count: plan.calls.length })}{' '}
        {TIERS.map((tier) => `${tier} ${bpsPercent(rebalance.preState[tier])} → ${bpsPercent(rebalance.expectedState[tier])}`).join(', ')}
      </p>
      <PlanCalls plan={plan} />
    </>
  )
}

function Submitted({ submitted, onEnd }: { submitted: Schemas['RebalanceExecutedView']; onEnd: () => void }) {
  const { t } = useI18n()
  const { planId, approvalTicketId } = submitted
  return (
    <Alert color="green" title={t('plan.submitted')} role="status">
      <p>
        {planId === null ? null : (
          <Link to="/transactions/plans/$planId" params={{ planId }}>
            {t('plan.toPage')}
          </Link>
        )}{' '}
        {approvalTicketId === null ? null : (
          <Link to="/approvals/$ticketId" params={{ ticketId: approvalTicketId }}>
            {t('ticket.title', { ticket: approvalTicketId })}
          </Link>
        )}
      </p>
      <Button size="xs" variant="default" onClick={onEnd}>
        {t('ui.close')}
      </Button>
    </Alert>
  )
}
