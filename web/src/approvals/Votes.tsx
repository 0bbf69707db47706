import type { Schemas } from '../api/client'
import { useI18n } from '../i18n'
import { Empty } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time } from '../ui/values'

export function Votes({ of: votes }: { of: readonly Schemas['VoteView'][] }) {
  const { t } = useI18n()
  if (votes.length === 0) return <Empty>{t('ticket.noVotes')}</Empty>
  return (
    <ul className={ui.timeline}>
      {votes.map((vote) => (
        <li key={vote.signature} data-source="users">
          <Status of={vote.verdict} /> <Address of={vote.voter} /> <Time at={vote.decidedAt} />
          {vote.reason ? <div>{vote.reason}</div> : null}
          {vote.typedData === null ? (
            <div className={ui.note}>{t('ticket.safeSignature')}</div>
          ) : (
            <details>
              <summary>{t('ticket.signedDocument')}</summary>
              <pre className={ui.document}>{JSON.stringify({ ...vote.typedData, signature: vote.signature }, null, 2)}</pre>
            </details>
          )}
        </li>
      ))}
    </ul>
  )
}
