import type { Schemas } from '../api/client'
import { useI18n } from '../i18n'
import ui from '../ui/ui.module.css'
import { Amount } from '../ui/values'

type Plan = Schemas['PreviewView']

/** What a plan would do now: which wallet sends it, who has to agree, and what the node says would come of each call. */
export function PlanPreview({ plan, approvalReason = null }: { plan: Plan; approvalReason?: string | null }) {
  return (
    <>
      <WhoSends plan={plan} approvalReason={approvalReason} />
      <Simulated plan={plan} />
    </>
  )
}

/** Which wallet sends the plan, who has to agree, and why no smaller wallet may send it. */
function WhoSends({ plan, approvalReason }: { plan: Plan; approvalReason: string | null }) {
  const { t } = useI18n()
  const sender = plan.wallet === null ? t('plan.noWallet') : t(plan.wallet === 'hot' ? 'plan.hotSends' : 'plan.safeSends', { wallet: plan.wallet })
  return (
    <>
      <h3 className={ui.subtitle}>{t('plan.whoSends')}</h3>
      <p>
        {sender} <Amount raw={plan.amount} unit="USDT" />
      </p>
      {plan.approvals === null ? <p>{t('plan.noApproval')}</p> : <p>{t('plan.approvals', { needs: plan.approvals.needs.join(', '), rules: plan.approvals.rules.join(', ') })}</p>}
      {approvalReason === null ? null : <p className={ui.note}>{approvalReason}</p>}
      {plan.rejectedWallets.length === 0 ? null : (
        <details>
          <summary>{t('plan.rejectedWallets')}</summary>
          <ul>
            {plan.rejectedWallets.map(({ wallet, description }) => (
              <li key={wallet}>{description}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  )
}

/** Each call with what the node says would come of it now. */
function Simulated({ plan }: { plan: Plan }) {
  const { t } = useI18n()
  const failing = plan.calls.filter(({ succeeds }) => succeeds === false).length
  return (
    <details open={failing > 0}>
      <summary>{failing > 0 ? t('plan.failing', { count: failing }) : t('plan.simulated', { count: plan.calls.length })}</summary>
      <ol>
        {plan.calls.map(({ description, outcome }, index) => (
          <li key={index}>
            <span className={ui.mono}>{description}</span>
            <div className={ui.note}>{outcome ?? t('plan.notSimulated')}</div>
          </li>
        ))}
      </ol>
    </details>
  )
}

/** The calls in their order, as they stand beside the document that is signed. */
export function PlanCalls({ plan }: { plan: Plan }) {
  return (
    <ol>
      {plan.calls.map(({ description }, index) => (
        <li key={index} className={ui.mono}>
          {description}
        </li>
      ))}
    </ol>
  )
}
