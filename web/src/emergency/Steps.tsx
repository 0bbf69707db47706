import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Schemas } from '../api/client'
import { safesQuery } from '../api/queries'
import { useI18n, type Key, type Translate } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { useUser } from '../session/store'
import { Empty, Facts } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Countdown, Status, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'
import { SubmitStep } from './SubmitStep'

type Emergency = Schemas['EmergencyDetailView']
type Step = Schemas['EmergencyStepView']

const isOpen = ({ status }: Step) => status === 'PROPOSED' || status === 'SUBMITTED'

/** Each step with what it does, how it stands and who is waited for; those that wait are first. */
export function Steps({ emergency }: { emergency: Emergency }) {
  const { t } = useI18n()
  const [handling, administering] = [useRight('handle_emergency'), useRight('administer_fund')]
  const missing = [handling, ...(emergency.isDrill ? [] : [administering])].find((right) => !right.isAllowed)
  const canAct = emergency.endedAt === null
  const steps = [...emergency.steps.filter(isOpen), ...emergency.steps.filter((step) => !isOpen(step))]
  if (steps.length === 0) return <Empty>{t('emergency.noSteps')}</Empty>
  return (
    <div className={ui.page}>
      {canAct && missing !== undefined ? <WhyNot right={missing} /> : null}
      {steps.map((step) => (
        <StepCard key={`${step.kind}${step.proposedAt}${step.attempt}`} emergency={emergency} step={step}>
          {canAct && isOpen(step) ? (
            <>
              {emergency.isDrill ? <SignDrill emergency={emergency} step={step} /> : null}
              {step.request !== null && step.status === 'PROPOSED' ? <SubmitStep request={step.request} /> : null}
              {handling.isAllowed ? <Decline emergency={emergency} step={step} /> : null}
            </>
          ) : null}
        </StepCard>
      ))}
    </div>
  )
}

function StepCard({ emergency, step, children }: { emergency: Emergency; step: Step; children: ReactNode }) {
  const { t } = useI18n()
  const { kind, status, isSelected, warning } = step
  const name = t(`emergency.step.${kind}` as Key) || kind
  return (
    <article className={ui.panel} aria-label={name}>
      <div className={ui.panelHead}>
        <h3 className={ui.panelTitle}>{name}</h3>
        <div className={ui.actions}>
          {isSelected ? null : <Status of="NOT_SELECTED" />}
          <Status of={status} />
        </div>
      </div>
      <p>{t(`emergency.does.${kind}` as Key) || step.meaning}</p>
      {isSelected && warning === null ? null : (
        <Alert color="orange" title={t(isSelected ? 'emergency.warning' : 'emergency.notSelected')} role="note">
          {warning}
        </Alert>
      )}
      <StepFacts emergency={emergency} step={step} />
      {children}
    </article>
  )
}

function StepFacts({ emergency, step }: { emergency: Emergency; step: Step }) {
  const { t } = useI18n()
  const { amount, attempt, proposedAt, doneAt, doneAtBlock, reviewAt, signedBy, missingSigners, signaturesNeeded } = step
  return (
    <Facts
      of={[
        step.request === null ? null : [t('emergency.call'), step.request.calls.map(({ contract, function: name }) => `${contract}.${name}`).join(', ')],
        amount === null ? null : [t('emergency.toFree'), <Amount key="a" raw={amount} unit="USDT" />],
        proposedAt === null ? null : [t('emergency.proposed'), <span key="p"><Time at={proposedAt} />{attempt > 1 ? <> · {t('emergency.attempt', { attempt })}</> : null}</span>],
        ...planFacts(step, t),
        signaturesNeeded === null ? null : [t('proposals.signatures'), `${signedBy.length} / ${signaturesNeeded}`],
        signedBy.length === 0 ? null : [t('emergency.signedBy'), signedBy.map((owner) => <Address key={owner} of={owner} />)],
        missingSigners.length === 0 || !isOpen(step) || emergency.endedAt !== null ? null : [t('emergency.waitsFor'), missingSigners.map((owner) => <Address key={owner} of={owner} />)],
        doneAt === null ? null : [t('emergency.done'), <span key="d"><Time at={doneAt} />{doneAtBlock === null || emergency.isDrill ? null : <> · {t('ui.asOfBlock', { number: doneAtBlock })}</>}</span>],
        reviewAt === null ? null : [t('emergency.review'), <Countdown key="r" until={reviewAt} />],
      ]}
    />
  )
}

/** The ways to the plan that was submitted, to the Safe transaction that its owners sign, and to its ticket. */
function planFacts(step: Step, t: Translate): (readonly [string, ReactNode] | null)[] {
  const { planId, planStatus, ticketId, proposal } = step
  return [
    planId === null
      ? null
      : [
          t('plan.name'),
          <span key="p">
            <Link to="/transactions/plans/$planId" params={{ planId }}>
              {t('plan.toPage')}
            </Link>{' '}
            {planStatus === null ? null : <Status of={planStatus} />}
          </span>,
        ],
    proposal === null
      ? null
      : [
          t('emergency.safeTransaction'),
          <Link key="s" to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: proposal }}>
            {t(isOpen(step) ? 'emergency.waitsForSignature' : 'ticket.safeTransaction')}
          </Link>,
        ],
    ticketId === null
      ? null
      : [
          t('column.ticket'),
          <Link key="t" to="/approvals/$ticketId" params={{ ticketId }}>
            {ticketId}
          </Link>,
        ],
  ]
}

/** An owner of the cold Safe signs a step of a drill, by a document that can move nothing. */
function SignDrill({ emergency, step }: { emergency: Emergency; step: Step }) {
  const { t } = useI18n()
  const { address } = useUser()
  const cold = useQuery(safesQuery).data?.find(({ name }) => name === 'cold')
  if (cold === undefined) return null
  const is = (owner: string) => owner.toLowerCase() === address.toLowerCase()
  const count = <p className={ui.note}>{t('emergency.ofDrill', { given: step.signedBy.length, needed: cold.threshold })}</p>
  if (!cold.owners.some(is)) return <>{count}<Empty>{t('emergency.drillNotOwner')}</Empty></>
  if (step.signedBy.some(is)) return <>{count}<Empty>{t('emergency.drillSigned')}</Empty></>
  return (
    <>
      {count}
      <p className={ui.note}>{t('emergency.willSignDrill')}</p>
      <Actions resource={`/emergencies/${emergency.id}/steps/${step.kind}`} actions={['sign_drill_step']} />
    </>
  )
}

function Decline({ emergency, step }: { emergency: Emergency; step: Step }) {
  const { t } = useI18n()
  return (
    <>
      <p className={ui.note}>{t('emergency.willDecline')}</p>
      <Actions resource={`/emergencies/${emergency.id}/steps/${step.kind}`} actions={['decline_emergency_step']} />
    </>
  )
}
