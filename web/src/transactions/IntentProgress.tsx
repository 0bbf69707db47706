import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { useI18n, type Key } from '../i18n'
import { Facts } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Status, Time, TxHash } from '../ui/values'

/** What became of one decision of this system on its way to the chain: queued, signed, sent, mined, final. */
export function IntentProgress({ intent }: { intent: Schemas['IntentView'] }) {
  const { t } = useI18n()
  return (
    <div>
      <div className={ui.actions}>
        <Link to="/transactions/intents/$intentId" params={{ intentId: intent.id }}>
          {t(`intent.${intent.kind}` as Key) || intent.kind}
        </Link>
        <Status of={intent.status} />
        {intent.unfunded ? <Status of="UNFUNDED" /> : null}
      </div>
      {intent.reason ? <p className={ui.note}>{intent.reason}</p> : null}
      <Attempts of={intent.attempts} />
    </div>
  )
}

export function Attempts({ of: attempts }: { of: readonly Schemas['AttemptView'][] }) {
  const { t } = useI18n()
  return attempts.map((attempt) => (
    <Facts
      key={attempt.hash}
      of={[
        [
          t(attempt.isCancellation ? 'attempt.cancellation' : 'attempt.transaction', { nonce: attempt.nonce }),
          <span key="t">
            <Status of={attempt.status} /> <TxHash of={attempt.hash} />
          </span>,
        ],
        attempt.blockNumber === null ? null : [t('attempt.block'), `${attempt.blockNumber}`],
        attempt.broadcastAt === null ? null : [t('attempt.sent'), <Time key="b" at={attempt.broadcastAt} />],
        attempt.status === 'REPLACED' ? [t('attempt.replaced'), t('attempt.replacedText')] : null,
      ]}
    />
  ))
}
