import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { configQuery, ticketQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { IntentProgress } from '../transactions/IntentProgress'
import { Empty, Facts, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Countdown, RedemptionLink, Status, Time } from '../ui/values'
import { VotersNow } from './SignersNow'
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

function TicketDetail({ ticket }: { ticket: Schemas['TicketDetailView'] }) {
  const { t } = useI18n()
  return (
    <div className={ui.grid}>
      <Panel title={t('ticket.what')}>
        <TicketFacts ticket={ticket} />
        <WhatRuns ticket={ticket} />
      </Panel>
      <Panel title={t('ticket.votes', { given: ticket.approvals, needed: ticket.requiredApprovals })}>
        <Votes of={ticket.votes} />
        <VotePanel ticket={ticket} />
        {ticket.closedAt === null ? <VotersNow type={ticket.type} /> : null}
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
  )
}

function TicketFacts({ ticket }: { ticket: Schemas['TicketDetailView'] }) {
  const { t } = useI18n()
  const { sla } = ticket
  return (
    <Facts
      of={[
        [t('column.request'), <RedemptionLink key="r" requestId={ticket.requestId} />],
        [t('ticket.type'), <Status key="s" of={ticket.type} />],
        [t('column.amount'), <Amount key="a" raw={ticket.grossAmount} />],
        [t('redemption.owner'), <Address key="o" of={ticket.owner} />],
        [t('redemption.receiver'), <Address key="v" of={ticket.receiver} />],
        [t('ticket.opened'), <Time key="t" at={ticket.openedAt} />],
        ticket.closedAt === null
          ? [
              t('column.deadline'),
              <span key="d">
                <Time at={sla.deadlineAt} /> (<Countdown until={sla.deadlineAt} />) <Status of={sla.stage} />
              </span>,
            ]
          : [t('ticket.closed'), <Time key="c" at={ticket.closedAt} />],
        [t('ticket.rule'), t('ticket.ruleText', { needed: ticket.requiredApprovals, version: ticket.policyVersion })],
      ]}
    />
  )
}

/** The call that the vote permits, as the signer will check it. */
function WhatRuns({ ticket }: { ticket: Schemas['TicketDetailView'] }) {
  const { t } = useI18n()
  const config = useQuery(configQuery)
  const contract = config.data?.contracts.redemptionManager
  return (
    <>
      <h3>{t('ticket.runs')}</h3>
      <pre className={ui.document}>
        {`RedemptionManager.approveRedemption(requestId=${ticket.requestId})\nRedemptionManager.rejectRedemption(requestId=${ticket.requestId}, reason)`}
      </pre>
      {contract ? (
        <p className={ui.note}>
          RedemptionManager <Address of={contract} />
        </p>
      ) : null}
      <p className={ui.note}>{t('ticket.runsText')}</p>
    </>
  )
}
