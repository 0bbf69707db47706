import { Button } from '@mantine/core'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { formatRaw, parseRaw } from '../format/amounts'
import { shortHex } from '../format/addresses'
import { useI18n, type Translate } from '../i18n'
import { may, REQUIRED_ROLE } from '../session/rights'
import { useUser, type SignedIn } from '../session/store'
import { Empty } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'

type Ticket = Schemas['TicketDetailView']
type Verdict = 'approve' | 'reject'

/** Vote on a ticket, or read why that is not possible. */
export function VotePanel({ ticket }: { ticket: Ticket }) {
  const { t } = useI18n()
  const user = useUser()
  const [verdict, setVerdict] = useState<Verdict | null>(null)
  const obstacle = obstacleTo(ticket, user, t)
  if (obstacle !== null && verdict === null) return <Empty>{obstacle}</Empty>
  return (
    <>
      <div className={ui.actions}>
        <Button onClick={() => setVerdict('approve')}>{t('vote.approve')}</Button>
        <Button variant="default" onClick={() => setVerdict('reject')}>
          {t('vote.reject')}
        </Button>
      </div>
      <p className={ui.note}>{t('vote.onChainRole')}</p>
      {verdict !== null && ticket.signing !== null ? (
        <SignDialog
          title={t(verdict === 'approve' ? 'vote.approveTitle' : 'vote.rejectTitle', { ticket: ticket.id })}
          document={ticket.signing[verdict]}
          willHappen={<WillHappen ticket={ticket} verdict={verdict} />}
          reason={verdict === 'reject' ? 'required' : 'optional'}
          submit={(signed) => submitVote(ticket.id, verdict, signed)}
          onClose={() => setVerdict(null)}
        />
      ) : null}
    </>
  )
}

/** Why this person cannot vote; null if they can, as far as the console knows. */
function obstacleTo(ticket: Ticket, user: SignedIn, t: Translate): string | null {
  const is = (address: string) => address.toLowerCase() === user.address.toLowerCase()
  if (ticket.closedAt !== null || ticket.signing === null) return t('vote.closed')
  if (!may(user.role, 'decideApproval')) {
    return t('right.needsRole', { needed: t(`role.${REQUIRED_ROLE.decideApproval}`), own: t(`role.${user.role}`) })
  }
  if (is(ticket.owner) || is(ticket.receiver)) return t('vote.own')
  if (ticket.votes.some(({ voter }) => is(voter))) return t('vote.voted')
  return null
}

function WillHappen({ ticket, verdict }: { ticket: Ticket; verdict: Verdict }) {
  const { t } = useI18n()
  const values = {
    request: ticket.requestId,
    amount: formatRaw(parseRaw(ticket.grossAmount), 18),
    receiver: shortHex(ticket.receiver),
    missing: ticket.requiredApprovals - ticket.approvals - 1,
  }
  if (verdict === 'reject') return <p>{t('vote.rejectWillHappen', values)}</p>
  return <p>{t(values.missing > 0 ? 'vote.approveWillCount' : 'vote.approveWillHappen', values)}</p>
}

function submitVote(ticketId: string, verdict: Verdict, signed: SignedDocument) {
  const options = { params: { path: { ticketId } }, body: signedFields(signed) }
  return verdict === 'approve'
    ? read(api.POST('/api/v1/approvals/{ticketId}/approve', options))
    : read(api.POST('/api/v1/approvals/{ticketId}/reject', options))
}
