import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { useUser } from '../session/store'
import { Empty } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { SignDialog, signedFields, type SignedDocument } from '../wallet/SignDialog'
import type { Ticket } from './ticket'

interface PlanVoteProps {
  ticket: Ticket
  plan: Schemas['TicketPlanView']
}

/** Approve a plan on the page of its Safe transaction; reject it, or cancel one's own, here. */
export function PlanVotePanel({ ticket, plan }: PlanVoteProps) {
  const { t } = useI18n()
  const user = useUser()
  const right = useRight('sign_proposals')
  const [isSigning, setSigning] = useState(false)
  const { signing } = ticket
  if (signing === null) return <Empty>{t('vote.closed')}</Empty>
  const isRequester = plan.requestedBy.toLowerCase() === user.address.toLowerCase()
  const document = isRequester ? signing.cancel : signing.reject
  const action = isRequester ? 'vote.cancel' : 'vote.reject'
  return (
    <>
      {isRequester ? (
        <Empty>{t('vote.ownPlan')}</Empty>
      ) : (
        <p>
          <Link to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: plan.safeTxHash }}>
            {t('vote.signSafe')}
          </Link>
        </p>
      )}
      {isRequester || right.isAllowed ? (
        <Button variant="default" onClick={() => setSigning(true)}>
          {t(action)}
        </Button>
      ) : (
        <WhyNot right={right} />
      )}
      {isSigning && document !== null ? (
        <SignDialog
          title={t(isRequester ? 'vote.cancelTitle' : 'vote.rejectTitle', { ticket: ticket.id })}
          document={document}
          willHappen={<WillHappen plan={plan} />}
          reason={isRequester ? 'optional' : 'required'}
          submit={(signed) => submit(ticket.id, isRequester, signed)}
          onClose={() => setSigning(false)}
        />
      ) : null}
    </>
  )
}

function WillHappen({ plan }: { plan: Schemas['TicketPlanView'] }) {
  const { t } = useI18n()
  return (
    <>
      <p>{t('vote.planWillNotRun', { plan: plan.name })}</p>
      <ol>
        {plan.calls.map((call, index) => (
          <li key={index} className={ui.mono}>
            {call}
          </li>
        ))}
      </ol>
    </>
  )
}

function submit(ticketId: string, isRequester: boolean, signed: SignedDocument) {
  const options = { params: { path: { ticketId } }, body: signedFields(signed) }
  return isRequester
    ? read(api.POST('/api/v1/approvals/{ticketId}/cancel', options))
    : read(api.POST('/api/v1/approvals/{ticketId}/reject', options))
}
