/** Who of a group can sign now, and what keeps the others from it. */
import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { readinessQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Loaded } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status } from '../ui/values'

type Group = Schemas['SignerGroupView']

/** The owners of a Safe. */
export function OwnersNow({ safe }: { safe: string }) {
  return <SignersNow shows={({ kind, name }) => kind === 'SAFE' && name === safe} />
}

/** The voters whom these rules ask for, as a ticket names the rules that raised it. */
export function VotersNow({ rules }: { rules: string[] }) {
  return <SignersNow shows={(group) => group.rules.some((rule) => rules.includes(rule))} />
}

function SignersNow({ shows }: { shows: (group: Group) => boolean }) {
  const { t } = useI18n()
  const readiness = useQuery(readinessQuery)
  return (
    <details>
      <summary>{t('signers.title')}</summary>
      <Loaded query={readiness}>{({ items }) => items.filter(shows).map((group) => <GroupNow key={`${group.kind} ${group.name}`} group={group} />)}</Loaded>
    </details>
  )
}

function GroupNow({ group }: { group: Group }) {
  const { t } = useI18n()
  return (
    <>
      <p>
        <Status of={group.readiness} /> {t('signers.counts', { needed: group.needed, able: group.able, present: group.present })}
      </p>
      <ul>
        {group.signers.map(({ address, name, isAble, isPresent, seenOn, missing }) => (
          <li key={address}>
            <Address of={address} name={name} />{' '}
            <span className={ui.note}>
              {isAble ? (isPresent ? t('signers.present') : seenOn === null ? t('signers.neverSeen') : t('signers.seen', { day: seenOn })) : missing.join('; ')}
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}
