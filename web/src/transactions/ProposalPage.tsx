import { Alert, Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import type { Hex } from 'viem'
import { api, read, type Schemas } from '../api/client'
import { proposalQuery } from '../api/queries'
import { useI18n, type Translate } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { useUser, type SignedIn } from '../session/store'
import { OwnersNow } from '../approvals/SignersNow'
import { Empty, Facts, Loaded, Page, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time, TxHash } from '../ui/values'
import { decodeMultiSend, hasInnerDelegateCall } from '../wallet/multiSend'
import { SignDialog } from '../wallet/SignDialog'
import { IntentProgress } from './IntentProgress'

type Proposal = Schemas['ProposalDetailView']

const route = getRouteApi('/transactions/proposals/$safeTxHash')

export function ProposalPage() {
  const { t } = useI18n()
  const { safeTxHash } = route.useParams()
  const proposal = useQuery(proposalQuery(safeTxHash))
  return (
    <Page
      title={proposal.data ? t('proposals.one', { safe: proposal.data.safeName, nonce: proposal.data.nonce }) : t('proposals.title')}
      aside={proposal.data ? <Status of={proposal.data.status} /> : null}
    >
      <Loaded query={proposal}>{(data) => <ProposalDetail proposal={data} />}</Loaded>
    </Page>
  )
}

function ProposalDetail({ proposal }: { proposal: Proposal }) {
  const { t } = useI18n()
  const warning = warningAbout(proposal)
  return (
    <>
      {warning === null ? null : (
        <Alert color={warning === 'proposals.innerDelegate' ? 'red' : 'orange'} title={t('proposals.careful')}>
          {t(warning)}
        </Alert>
      )}
      {proposal.competing.length === 0 ? null : (
        <Alert color="orange" title={t('status.COMPETING')}>
          {t('proposals.competing')}{' '}
          {proposal.competing.map((hash) => (
            <Link key={hash} to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: hash }}>
              {hash.slice(0, 10)}…{' '}
            </Link>
          ))}
        </Alert>
      )}
      <div className={ui.grid}>
        <Panel title={t('proposals.calls')}>
          <Calls proposal={proposal} />
        </Panel>
        <Panel title={t('proposals.signaturesOf', { given: proposal.signedBy.length, needed: proposal.threshold })}>
          <Signatures proposal={proposal} />
          <SignAsOwner proposal={proposal} refused={warning === 'proposals.innerDelegate'} />
          <OwnersNow safe={proposal.safeName} />
        </Panel>
        <Panel title={t('ticket.afterwards')}>
          {proposal.intents.length === 0 ? <Empty>{t('proposals.notSent')}</Empty> : proposal.intents.map((intent) => <IntentProgress key={intent.id} intent={intent} />)}
          {proposal.executedTxHash === null ? null : <TxHash of={proposal.executedTxHash} />}
          {proposal.lastError === null ? null : <p className={ui.note}>{proposal.lastError.message}</p>}
        </Panel>
      </div>
    </>
  )
}

/** What an owner must know of how the Safe would run this: a DELEGATECALL runs foreign code with the Safe's own powers. */
function warningAbout({ operation, data }: Proposal): 'proposals.innerDelegate' | 'proposals.unreadable' | 'proposals.multiSend' | 'proposals.delegate' | null {
  try {
    const inner = decodeMultiSend(data as Hex)
    if (hasInnerDelegateCall(data as Hex)) return 'proposals.innerDelegate'
    if (operation !== 'DELEGATECALL') return null
    return inner === null ? 'proposals.delegate' : 'proposals.multiSend'
  } catch {
    return 'proposals.unreadable'
  }
}

function Calls({ proposal }: { proposal: Proposal }) {
  const { t } = useI18n()
  return (
    <>
      <ol>
        {proposal.calls.map((call, index) => (
          <li key={index}>
            <strong className={ui.mono}>{call.description}</strong>
            <div>
              <Address of={call.to} name={call.contract ?? undefined} />
            </div>
          </li>
        ))}
      </ol>
      <Facts
        of={[
          [t('sign.reason'), proposal.reason],
          proposal.ticketId === null ? null : [t('column.ticket'), <Link key="t" to="/approvals/$ticketId" params={{ ticketId: proposal.ticketId }}>{proposal.ticketId}</Link>],
          [t('proposals.operation'), proposal.operation],
          [t('proposals.expires'), <Time key="e" at={proposal.expiresAt} />],
        ]}
      />
      <details>
        <summary>{t('proposals.bytes')}</summary>
        <pre className={ui.document}>{proposal.data}</pre>
      </details>
    </>
  )
}

function Signatures({ proposal }: { proposal: Proposal }) {
  const { t } = useI18n()
  return (
    <>
      <ul className={ui.timeline}>
        {proposal.signatures.map((signature) => (
          <li key={signature.owner} data-source="users">
            <Address of={signature.owner} /> <Time at={signature.signedAt} />
          </li>
        ))}
      </ul>
      {proposal.missingSigners.length === 0 ? null : (
        <p className={ui.note}>
          {t('proposals.canStillSign')}{' '}
          {proposal.missingSigners.map((owner) => (
            <Address key={owner} of={owner} />
          ))}
        </p>
      )}
    </>
  )
}

function SignAsOwner({ proposal, refused }: { proposal: Proposal; refused: boolean }) {
  const { t } = useI18n()
  const user = useUser()
  const client = useQueryClient()
  const [signing, setSigning] = useState(false)
  const reject = useMutation({
    mutationFn: () => read(api.POST('/api/v1/multisig/proposals/{safeTxHash}/reject', { params: { path: { safeTxHash: proposal.hash } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['multisig'] }),
  })
  const obstacle = refused ? t('proposals.refused') : obstacleTo(proposal, user, t)
  const right = useRight('sign_proposals')
  const mayReject = right.isAllowed && proposal.closedAt === null
  return (
    <>
      {obstacle !== null ? (
        <Empty>{obstacle}</Empty>
      ) : right.isAllowed ? (
        <div className={ui.actions}>
          <Button onClick={() => setSigning(true)}>{t('proposals.sign')}</Button>
        </div>
      ) : (
        <WhyNot right={right} />
      )}
      {mayReject ? (
        <>
          <Button size="xs" variant="default" loading={reject.isPending} onClick={() => reject.mutate()}>
            {t('proposals.reject')}
          </Button>
          <p className={ui.note}>{t('proposals.rejectText')}</p>
        </>
      ) : null}
      {reject.error ? <ProblemNotice error={reject.error} /> : null}
      {signing && proposal.signing !== null ? (
        <SignDialog
          title={t('proposals.sign')}
          document={proposal.signing}
          willHappen={<SafeWillHappen proposal={proposal} />}
          reason="none"
          submit={({ signature }) =>
            read(
              api.POST('/api/v1/multisig/proposals/{safeTxHash}/sign', {
                params: { path: { safeTxHash: proposal.hash } },
                body: { owner: user.address, signature },
              }),
            )
          }
          onClose={() => setSigning(false)}
        />
      ) : null}
    </>
  )
}

function obstacleTo(proposal: Proposal, user: SignedIn, t: Translate): string | null {
  const isAmong = (owners: readonly string[]) => owners.some((owner) => owner.toLowerCase() === user.address.toLowerCase())
  if (proposal.closedAt !== null || proposal.signing === null) return t('proposals.closed')
  if (isAmong(proposal.signedBy)) return t('proposals.signed')
  if (!isAmong(proposal.missingSigners)) return t('proposals.notOwner')
  return null
}

function SafeWillHappen({ proposal }: { proposal: Proposal }) {
  const { t } = useI18n()
  const missing = proposal.threshold - proposal.signedBy.length - 1
  return (
    <>
      <p>{t(missing > 0 ? 'proposals.willCount' : 'proposals.willRun', { safe: proposal.safeName, nonce: proposal.nonce, missing })}</p>
      <ol>
        {proposal.calls.map((call, index) => (
          <li key={index} className={ui.mono}>
            {call.description}
          </li>
        ))}
      </ol>
      {decodeMultiSend(proposal.data as Hex) === null ? null : <p className={ui.note}>{t('proposals.notClear')}</p>}
    </>
  )
}
