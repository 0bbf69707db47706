import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { configQuery, ticketQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { IntentProgress } from '../transactions/IntentProgress'
import { Empty, Facts, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Countdown, RedemptionLink, Status, Time } from '../ui/values'
import { VotersNow } from './SignersNow'
import { PlanVotePanel } from './PlanVotePanel'
import { isRedemption, type Ticket } from './ticket'
import { VotePanel } from './VotePanel'
import { Votes } from './Votes'

const route = getRouteApi('/approvals/$ticketId')

export function TicketPage() {
  const { t } = useI18n()
  const { ticketId } = route.useParams()
  const ticket = useQuery(ticketQuery(ticketId))
  return (
    <Page title={t('ticket.title', { ticket: ticketId })} aside={ticket.data ? <Status of={ticket.data.status} /> : null}>
      <Loaded query={ticket}>{(data) => <TicketDetail ticket={data} />}</Loaded>
    </Page>
  )
}

function TicketDetail({ ticket }: { ticket: Ticket }) {
  const { t } = useI18n()
  return (
    <>
      {ticket.voidReason === null ? null : (
        <Alert color="orange" title={t('ticket.void')}>
          {ticket.voidReason}
        </Alert>
      )}
      <div className={ui.grid}>
        <Panel title={t('ticket.what')}>
          <TicketFacts ticket={ticket} />
          {ticket.plan === null ? <DecisionCalls ticket={ticket} /> : <PlanCalls plan={ticket.plan} />}
        </Panel>
        <Panel title={t('ticket.votes', { given: ticket.approvals, needed: ticket.requiredApprovals })}>
          <Votes of={ticket.votes} />
          {isRedemption(ticket) ? <VotePanel ticket={ticket} /> : ticket.plan === null ? null : <PlanVotePanel ticket={ticket} plan={ticket.plan} />}
          {ticket.closedAt === null ? <VotersNow rules={ticket.rules} /> : null}
        </Panel>
        <Panel title={t('ticket.afterwards')}>
          {ticket.intents.length === 0 ? (
            <Empty>{t('ticket.nothingSent')}</Empty>
          ) : (
            ticket.intents.map((intent) => <IntentProgress key={intent.id} intent={intent} />)
          )}
          {ticket.decidedExternally ? <Empty>{t('ticket.externally')}</Empty> : null}
        </Panel>
      </div>
    </>
  )
}

function TicketFacts({ ticket }: { ticket: Ticket }) {
  const { t } = useI18n()
  const { sla, plan } = ticket
  return (
    <Facts
      of={[
        ...(isRedemption(ticket) ? [[t('column.request'), <RedemptionLink key="r" requestId={ticket.requestId} />] as const] : []),
        ...(plan === null ? [] : [[t('plan.name'), plan.name] as const]),
        [t('ticket.type'), <Status key="s" of={ticket.type} />],
        [t('column.amount'), <Amount key="a" raw={ticket.grossAmount} />],
        ...(isRedemption(ticket)
          ? [
              [t('redemption.owner'), <Address key="o" of={ticket.owner} />] as const,
              [t('redemption.receiver'), <Address key="v" of={ticket.receiver} />] as const,
            ]
          : []),
        ...(plan === null
          ? []
          : [
              [t('ticket.requestedBy'), <Address key="b" of={plan.requestedBy} />] as const,
              [t('ticket.wallet'), plan.wallet] as const,
            ]),
        [t('ticket.opened'), <Time key="t" at={ticket.openedAt} />],
        ticket.closedAt === null
          ? [
              t('column.deadline'),
              <span key="d">
                <Time at={sla.deadlineAt} /> (<Countdown until={sla.deadlineAt} />) <Status of={sla.stage} />
              </span>,
            ]
          : [t('ticket.closed'), <Time key="c" at={ticket.closedAt} />],
        [t('ticket.rule'), t('ticket.ruleText', { rules: ticket.rules.join(', '), needed: ticket.requiredApprovals, version: ticket.policyVersion })],
        ...(ticket.atDeadline === 'REJECT' ? [[t('ticket.atDeadline'), t('ticket.atDeadlineText')] as const] : []),
      ]}
    />
  )
}

/** The call that the vote permits, as the signer will check it. */
function DecisionCalls({ ticket }: { ticket: Ticket }) {
  const { t } = useI18n()
  const config = useQuery(configQuery)
  const contract = config.data?.contracts.redemptionManager
  return (
    <>
      <h3 className={ui.subtitle}>{t('ticket.runs')}</h3>
      <pre className={ui.document}>
        {`RedemptionManager.approveRedemption(requestId=${ticket.requestId ?? ''})\nRedemptionManager.rejectRedemption(requestId=${ticket.requestId ?? ''}, reason)`}
      </pre>
      {contract ? (
        <p className={ui.note}>
          <Address of={contract} />
        </p>
      ) : null}
      <p className={ui.note}>{t('ticket.runsText')}</p>
    </>
  )
}

/** What the Safe will do, all of it or nothing. */
function PlanCalls({ plan }: { plan: Schemas['TicketPlanView'] }) {
  const { t } = useI18n()
  return (
    <>
      <h3 className={ui.subtitle}>{t('ticket.runs')}</h3>
      <ol>
        {plan.calls.map((call, index) => (
          <li key={index} className={ui.mono}>
            {call}
          </li>
        ))}
      </ol>
      <p className={ui.note}>
        <Link to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: plan.safeTxHash }}>
          {t('ticket.safeTransaction')}
        </Link>
      </p>
      <p className={ui.note}>{t('ticket.planRunsText')}</p>
    </>
  )
}
