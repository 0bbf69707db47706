import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { redemptionQuery, ticketQuery } from '../api/queries'
import { isRedemption } from '../approvals/ticket'
import { VotePanel } from '../approvals/VotePanel'
import { Votes } from '../approvals/Votes'
import { useI18n } from '../i18n'
import { IntentProgress } from '../transactions/IntentProgress'
import { Empty, Facts, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, ChainCountdown, Countdown, Status, Time, TxHash } from '../ui/values'
import { SettlePanel } from './SettlePanel'

type Redemption = Schemas['RedemptionDetailView']

const route = getRouteApi('/redemptions/$requestId')

export function RedemptionPage() {
  const { t } = useI18n()
  const { requestId } = route.useParams()
  const redemption = useQuery(redemptionQuery(requestId))
  return (
    <Page title={t('redemption.title', { request: requestId })} aside={redemption.data ? <Status of={redemption.data.status} /> : null}>
      <Loaded query={redemption}>
        {(data) => (
          <>
            {data.quarantined ? <Alert color="orange">{t('redemption.quarantined')}</Alert> : null}
            <div className={ui.grid}>
              <Panel title={t('redemption.request')}>
                <RequestFacts redemption={data} />
              </Panel>
              {data.ticket === null ? null : <TicketPanel ticketId={data.ticket.id} />}
              <Panel title={t('redemption.settlement')}>
                {data.settlementIntent === null ? null : <IntentProgress intent={data.settlementIntent} />}
                <SettlePanel redemption={data} />
              </Panel>
            </div>
            <Panel title={t('redemption.timeline')}>
              <Timeline entries={data.timeline} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  )
}

function RequestFacts({ redemption }: { redemption: Redemption }) {
  const { t } = useI18n()
  const { settlementAt, closedAt } = redemption
  return (
    <Facts
      of={[
        [t('column.channel'), <Status key="c" of={redemption.channel} />],
        [t('redemption.shares'), <Amount key="s" raw={redemption.shares} />],
        [t('redemption.gross'), <Amount key="g" raw={redemption.grossAmount} unit="USDT" />],
        redemption.lockedNav === null ? null : [t('redemption.lockedNav'), <Amount key="n" raw={redemption.lockedNav} places={6} unit="USDT" />],
        redemption.settledFee === null
          ? [t('redemption.estimatedFee'), <Amount key="f" raw={redemption.estimatedFee} unit="USDT" />]
          : [t('redemption.fee'), <Amount key="f" raw={redemption.settledFee} unit="USDT" />],
        redemption.settledNetAmount === null ? null : [t('redemption.paid'), <Amount key="p" raw={redemption.settledNetAmount} unit="USDT" />],
        [t('redemption.owner'), <Address key="o" of={redemption.owner} />],
        [t('redemption.receiver'), <Address key="r" of={redemption.receiver} />],
        [t('column.requested'), <Time key="t" at={redemption.requestedAt} />],
        settlementAt === null
          ? null
          : [t('column.settles'), <span key="e"><Time at={settlementAt} /> {closedAt === null ? <>(<ChainCountdown until={settlementAt} />)</> : null}</span>],
        redemption.rejectionReason === null ? null : [t('redemption.rejected'), redemption.rejectionReason],
      ]}
    />
  )
}

function TicketPanel({ ticketId }: { ticketId: string }) {
  const { t } = useI18n()
  const ticket = useQuery(ticketQuery(ticketId))
  return (
    <Panel
      title={<Link to="/approvals/$ticketId" params={{ ticketId }}>{t('ticket.title', { ticket: ticketId })}</Link>}
      aside={ticket.data ? <Status of={ticket.data.status} /> : null}
    >
      <Loaded query={ticket}>
        {(data) => (
          <>
            <p className={ui.note}>
              {t('ticket.votes', { given: data.approvals, needed: data.requiredApprovals })}
              {data.closedAt === null ? <> · {t('column.deadline')} <Countdown until={data.sla.deadlineAt} /></> : null}
            </p>
            <Votes of={data.votes} />
            {isRedemption(data) ? <VotePanel ticket={data} /> : null}
            {data.intents.map((intent) => <IntentProgress key={intent.id} intent={intent} />)}
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Timeline({ entries }: { entries: Redemption['timeline'] }) {
  const { t } = useI18n()
  if (entries.length === 0) return <Empty>{t('redemption.noTimeline')}</Empty>
  return (
    <ol className={ui.timeline}>
      {entries.map((entry, index) => (
        <li key={`${entry.knownAt}${entry.kind}${index}`} data-source={entry.source}>
          <strong>{entry.title}</strong>{' '}
          <span className={ui.note}>
            {t(`source.${entry.source}`)} · <Time at={entry.at} />
          </span>
          {typeof entry.details.txHash === 'string' ? <div><TxHash of={entry.details.txHash} /></div> : null}
        </li>
      ))}
    </ol>
  )
}
