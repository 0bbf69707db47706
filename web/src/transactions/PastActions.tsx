import type { Schemas } from '../api/client'
import { useI18n } from '../i18n'
import { Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time } from '../ui/values'

/** What people asked for, what was signed, and what became of it. */
export function PastActions({ of: actions }: { of: readonly Schemas['OperatorActionView'][] }) {
  const { t } = useI18n()
  if (actions.length === 0) return null
  return (
    <Panel title={t('actions.past')}>
      <ul className={ui.timeline}>
        {actions.map((action) => (
          <li key={action.signature} data-source="users">
            {t(`action.${action.kind}`)} <Status of={action.status} /> <Address of={action.requestedBy} /> <Time at={action.requestedAt} />
            <div>{action.reason}</div>
            {action.outcome === null ? null : <div className={ui.note}>{action.outcome}</div>}
          </li>
        ))}
      </ul>
    </Panel>
  )
}
