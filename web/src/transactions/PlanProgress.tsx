import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { proposalQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Loaded } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status } from '../ui/values'
import { IntentProgress } from './IntentProgress'

/** How a plan stands: by the calls of the hot key, or by its Safe transaction, which its owners sign. */
export function PlanProgress({ plan }: { plan: Schemas['PlanView'] }) {
  const { proposal, calls } = plan
  return (
    <>
      <div className={ui.actions}>
        <Status of={plan.status} />
      </div>
      {proposal === null ? (
        calls.map(({ intent }) => (intent === null ? null : <IntentProgress key={intent.id} intent={intent} />))
      ) : (
        <ProposalProgress safeTxHash={proposal} />
      )}
    </>
  )
}

function ProposalProgress({ safeTxHash }: { safeTxHash: string }) {
  const { t } = useI18n()
  const proposal = useQuery(proposalQuery(safeTxHash))
  return (
    <Loaded query={proposal}>
      {({ safeName, nonce, status, signedBy, threshold, missingSigners, closedAt, ticketId, intents }) => (
        <>
          <p>
            <Link to="/transactions/proposals/$safeTxHash" params={{ safeTxHash }}>
              {t('proposals.one', { safe: safeName, nonce })}
            </Link>{' '}
            <Status of={status} /> {t('proposals.signaturesOf', { given: signedBy.length, needed: threshold })}
          </p>
          {closedAt !== null || missingSigners.length === 0 ? null : (
            <p className={ui.note}>
              {t('proposals.canStillSign')}{' '}
              {missingSigners.map((owner) => (
                <Address key={owner} of={owner} />
              ))}
            </p>
          )}
          {ticketId === null ? null : (
            <p className={ui.note}>
              <Link to="/approvals/$ticketId" params={{ ticketId }}>
                {t(closedAt === null ? 'plan.toStop' : 'plan.ticket', { ticket: ticketId })}
              </Link>
            </p>
          )}
          {intents.map((intent) => (
            <IntentProgress key={intent.id} intent={intent} />
          ))}
        </>
      )}
    </Loaded>
  )
}
