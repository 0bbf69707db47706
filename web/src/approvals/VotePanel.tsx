import { Button } from '@mantine/core'
import { useState } from 'react'
import { api, read } from '../api/client'
import { formatRaw, parseRaw } from '../format/amounts'
import { shortHex } from '../format/addresses'
import { useI18n, type Translate } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { useUser, type SignedIn } from '../session/store'
import { Empty } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'
import type { RedemptionTicket } from './ticket'

type Verdict = 'approve' | 'reject'
type Documents = Record<Verdict, unknown>

/** Vote on a ticket, or read why that is not possible. */
export function VotePanel({ ticket }: { ticket: RedemptionTicket }) {
  const { t } = useI18n()
  const user = useUser()
  const right = useRight('decide_approval')
  const [vote, setVote] = useState<{ verdict: Verdict; signing: Documents } | null>(null)
  const obstacle = obstacleTo(ticket, user, t)
  const { signing } = ticket
  if (obstacle === null && vote !== null && signing !== null && signing !== vote.signing) setVote({ ...vote, signing })
  return (
    <>
      {obstacle !== null || signing === null ? (
        <Empty>{obstacle}</Empty>
      ) : right.isAllowed ? (
        <div className={ui.actions}>
          <Button onClick={() => setVote({ verdict: 'approve', signing })}>{t('vote.approve')}</Button>
          <Button variant="default" onClick={() => setVote({ verdict: 'reject', signing })}>
            {t('vote.reject')}
          </Button>
        </div>
      ) : (
        <WhyNot right={right} />
      )}
      {vote === null ? null : (
        <SignDialog
          title={t(vote.verdict === 'approve' ? 'vote.approveTitle' : 'vote.rejectTitle', { ticket: ticket.id })}
          document={vote.signing[vote.verdict]}
          obstacle={obstacle}
          willHappen={<WillHappen ticket={ticket} verdict={vote.verdict} />}
          reason={vote.verdict === 'reject' ? 'required' : 'optional'}
          submit={(signed) => submitVote(ticket.id, vote.verdict, signed)}
          onClose={() => setVote(null)}
        />
      )}
    </>
  )
}

/** Why this person cannot vote; null if they can, as far as the console knows. */
function obstacleTo(ticket: RedemptionTicket, user: SignedIn, t: Translate): string | null {
  const is = (address: string) => address.toLowerCase() === user.address.toLowerCase()
  if (ticket.closedAt !== null || ticket.signing === null) return t('vote.closed')
  if (is(ticket.owner) || is(ticket.receiver)) return t('vote.own')
  if (ticket.votes.some(({ voter }) => is(voter))) return t('vote.voted')
  return null
}

function WillHappen({ ticket, verdict }: { ticket: RedemptionTicket; verdict: Verdict }) {
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
