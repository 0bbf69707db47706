import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { openProposalsQuery, outboxQuery, quarantineQuery, riskEventsQuery, slaQuery, walletsQuery } from '../api/queries'
import { votesOf } from '../approvals/ticket'
import { formatRaw, parseRaw } from '../format/amounts'
import { useI18n } from '../i18n'
import { useRight } from '../session/rights'
import { useUser } from '../session/store'
import { Empty, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Countdown, FUND_DECIMALS } from '../ui/values'

interface Task {
  key: string
  /** What to do, as the link that leads there. */
  link: ReactNode
  /** Until when, where there is a deadline. */
  until: string | null
}

/** What waits for this very person, by deadline: votes, Safe signatures, and what only people can put right. */
export function NeedsYou() {
  const { t } = useI18n()
  const tasks = [...useVotes(), ...useSafeSignatures(), ...useRepairs()].sort((one, other) => (one.until ?? '9').localeCompare(other.until ?? '9'))
  return (
    <Panel title={t('needs.title')}>
      {tasks.length === 0 ? (
        <Empty>{t('needs.nothing')}</Empty>
      ) : (
        <ul className={ui.tasks}>
          {tasks.map(({ key, link, until }) => (
            <li key={key}>
              {link} {until === null ? null : <Countdown until={until} />}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  )
}

/** The same tickets as the inbox of *Approvals* and its mark count: a decided one takes no vote, though the chain does not show it yet. */
function useVotes(): Task[] {
  const { t } = useI18n()
  const { address } = useUser()
  const right = useRight('decide_approval')
  const report = useQuery(slaQuery).data
  if (!right.isAllowed || report === undefined) return []
  return votesOf(report, address).map(({ id, requestId, grossAmount, sla }) => ({
    key: id,
    until: sla.deadlineAt,
    link: (
      <Link to="/approvals/$ticketId" params={{ ticketId: id }}>
        {t('needs.vote', { request: requestId, amount: formatRaw(parseRaw(grossAmount), FUND_DECIMALS) })}
      </Link>
    ),
  }))
}

function useSafeSignatures(): Task[] {
  const { t } = useI18n()
  const { address } = useUser()
  const proposals = useQuery(openProposalsQuery)
  return (proposals.data?.items ?? [])
    .filter(({ status, missingSigners }) => status === 'COLLECTING' && missingSigners.some((owner) => owner.toLowerCase() === address.toLowerCase()))
    .map(({ hash, safeName, nonce, expiresAt }) => ({
      key: hash,
      until: expiresAt,
      link: (
        <Link to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: hash }}>
          {t('needs.sign', { safe: safeName, nonce })}
        </Link>
      ),
    }))
}

/** What does not go on by itself: open risk events, dead letters, quarantined logs, wallets with a fault. */
function useRepairs(): Task[] {
  const { t } = useI18n()
  const [risk, letters, logs, transactions] = [useRight('handle_risk'), useRight('replay_messages'), useRight('handle_quarantine'), useRight('handle_transactions')]
  const events = useQuery({ ...riskEventsQuery('OPEN', 1), enabled: risk.isAllowed }).data?.pagination.total ?? 0
  const dead = useQuery({ ...outboxQuery('DEAD_LETTERED', 1), enabled: letters.isAllowed }).data?.pagination.total ?? 0
  const quarantine = useQuery({ ...quarantineQuery, enabled: logs.isAllowed }).data?.items ?? []
  const wallets = useQuery({ ...walletsQuery, enabled: transactions.isAllowed }).data?.items ?? []
  const quarantined = quarantine.filter(({ status }) => status === 'QUARANTINED').length
  const task = (key: string, count: number, link: ReactNode): Task[] => (count === 0 ? [] : [{ key, until: null, link }])
  return [
    ...task('risk', events, <Link to="/risk" search={{ risk: 'OPEN' }}>{t('needs.risk', { count: events })}</Link>),
    ...task('letters', dead, <Link to="/system" search={{ outbox: 'DEAD_LETTERED' }}>{t('needs.letters', { count: dead })}</Link>),
    ...task('logs', quarantined, <Link to="/system">{t('needs.logs', { count: quarantined })}</Link>),
    ...wallets
      .filter(({ fault }) => fault !== null)
      .map(({ name, address }) => ({
        key: address,
        until: null,
        link: <Link to="/transactions/wallets/$address" params={{ address }}>{t('needs.wallet', { name })}</Link>,
      })),
  ]
}
