import { Alert, Button, TextInput } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState, type FormEvent } from 'react'
import { api, read, type Schemas } from '../api/client'
import { bpsPercent } from '../format/amounts'
import { useI18n, type Translate } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount } from '../ui/values'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'
import { DecisionDetail } from './Decision'
import { draftOfShares, targetsOf, TIERS, type Targets, type Tier } from './targets'

type Previewed = Schemas['RebalancePreviewView']

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
      {preview.data === undefined ? null : <Result key={preview.data.rebalance.id} previewed={preview.data} onEnd={() => preview.reset()} />}
    </>
  )
}

function SumFault({ targets }: { targets: Targets }) {
  const { t } = useI18n()
  return targets.kind === 'sum' ? <Alert color="red" role="alert" title={t('rebalance.sumFault', { sum: bpsPercent(targets.bps) })} /> : null
}

function Result({ previewed, onEnd }: { previewed: Previewed; onEnd: () => void }) {
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
          <WhoSends previewed={previewed} plan={plan} />
          <Simulated plan={plan} />
          <div className={ui.actions}>
            <Button disabled={plan.signing === null} onClick={() => setSigning(true)}>
              {t('rebalance.submit')}
            </Button>
          </div>
          <p className={ui.note}>{t('rebalance.validity')}</p>
        </>
      )}
      {signing && plan !== null && plan.signing !== null ? (
        <SignDialog
          title={t('rebalance.submit')}
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

type Plan = Schemas['PreviewView']

/** Which wallet sends the plan, who has to agree, and why no smaller wallet may send it. */
function WhoSends({ previewed, plan }: { previewed: Previewed; plan: Plan }) {
  const { t } = useI18n()
  return (
    <>
      <h3 className={ui.subtitle}>{t('rebalance.whoSends')}</h3>
      <p>
        {plan.wallet === null ? t('rebalance.noWallet') : senderText(plan.wallet, t)} <Amount raw={plan.amount} unit="USDT" />
      </p>
      {plan.approvals === null ? <p>{t('rebalance.noApproval')}</p> : <p>{t('rebalance.approvals', { needs: plan.approvals.needs.join(', '), rules: plan.approvals.rules.join(', ') })}</p>}
      {previewed.approvalReason === null ? null : <p className={ui.note}>{previewed.approvalReason}</p>}
      {plan.rejectedWallets.length === 0 ? null : (
        <details>
          <summary>{t('rebalance.rejectedWallets')}</summary>
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

function senderText(wallet: Schemas['PlanWallet'], t: Translate): string {
  return t(wallet === 'hot' ? 'rebalance.hotSends' : 'rebalance.safeSends', { wallet })
}

/** Each call with what the node says would come of it now. */
function Simulated({ plan }: { plan: Plan }) {
  const { t } = useI18n()
  const failing = plan.calls.filter(({ succeeds }) => succeeds === false).length
  return (
    <details open={failing > 0}>
      <summary>{failing > 0 ? t('rebalance.failing', { count: failing }) : t('rebalance.simulated', { count: plan.calls.length })}</summary>
      <ol>
        {plan.calls.map(({ description, outcome }, index) => (
          <li key={index}>
            <span className={ui.mono}>{description}</span>
            <div className={ui.note}>{outcome ?? t('rebalance.notSimulated')}</div>
          </li>
        ))}
      </ol>
    </details>
  )
}

function WillHappen({ previewed: { rebalance }, plan }: { previewed: Previewed; plan: Plan }) {
  const { t } = useI18n()
  return (
    <>
      <p>
        {plan.wallet === null ? null : t(plan.wallet === 'hot' ? 'rebalance.willSend' : 'rebalance.willPropose', { wallet: plan.wallet, count: plan.calls.length })}{' '}
        {TIERS.map((tier) => `${tier} ${bpsPercent(rebalance.preState[tier])} → ${bpsPercent(rebalance.expectedState[tier])}`).join(', ')}
      </p>
      <ol>
        {plan.calls.map(({ description }, index) => (
          <li key={index} className={ui.mono}>
            {description}
          </li>
        ))}
      </ol>
    </>
  )
}

function Submitted({ submitted, onEnd }: { submitted: Schemas['RebalanceExecutedView']; onEnd: () => void }) {
  const { t } = useI18n()
  const { planId, approvalTicketId } = submitted
  return (
    <Alert color="green" title={t('rebalance.submitted')} role="status">
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
        {t('rebalance.another')}
      </Button>
    </Alert>
  )
}
