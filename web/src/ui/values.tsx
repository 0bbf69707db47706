/** How values are shown everywhere: amounts, times, addresses, states. */
import { Badge, Tooltip } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useState, type ReactNode } from 'react'
import { configQuery, overviewQuery } from '../api/queries'
import { shortHex } from '../format/addresses'
import { exact, formatRaw, grouped, parseRaw } from '../format/amounts'
import { formatSpan, formatTime, formatUtc, serverNowMs, spanOf } from '../format/time'
import { useI18n, type Key } from '../i18n'
import { useZone } from '../shell/zone'
import { useNameOf } from './names'
import css from './ui.module.css'

/** USDT, shares and prices of the fund have 18 decimals; an asset's token says its own. */
export const FUND_DECIMALS = 18

function Unit({ of: unit }: { of: string | undefined }) {
  return unit === undefined ? null : (
    <>
      {' '}
      <span className={css.unit}>{unit}</span>
    </>
  )
}

export function Amount({
  raw,
  decimals = FUND_DECIMALS,
  unit,
  places = 2,
}: {
  raw: string
  decimals?: number
  unit?: string
  places?: number
}) {
  const value = parseRaw(raw)
  return (
    <span className={css.number} title={`${exact(value, decimals)}${unit ? ` ${unit}` : ''}`}>
      {formatRaw(value, decimals, places)}
      <Unit of={unit} />
    </span>
  )
}

export function Decimal({ text, places = 2, unit }: { text: string; places?: number; unit?: string }) {
  return (
    <span className={css.number} title={`${text}${unit ? ` ${unit}` : ''}`}>
      {grouped(text, places)}
      <Unit of={unit} />
    </span>
  )
}

export function Time({ at }: { at: string }) {
  const { locale } = useI18n()
  const { zone } = useZone()
  return (
    <time dateTime={at} title={formatUtc(at)} className={css.number}>
      {formatTime(at, zone, locale)}
    </time>
  )
}

/** Render again every second, for countdowns. */
function useSecond(): number {
  const [now, setNow] = useState(() => serverNowMs())
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNowMs()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return now
}

/** The time left until a moment of the server's clock, or how long ago it passed. */
export function Countdown({ until }: { until: string }) {
  const { t } = useI18n()
  const span = spanOf(Date.parse(until) - useSecond())
  const text = formatSpan(span)
  return (
    <time dateTime={until} title={formatUtc(until)} className={css.number} role="timer">
      {span.negative ? t('time.ago', { span: text }) : t('time.in', { span: text })}
    </time>
  )
}

/** How long something has lasted since a moment of the server's clock. */
export function Elapsed({ since }: { since: string }) {
  const span = spanOf(useSecond() - Date.parse(since))
  return (
    <time dateTime={since} title={formatUtc(since)} className={css.number} role="timer">
      {formatSpan(span)}
    </time>
  )
}

/** The time left until a moment of the chain's clock, which on a test chain is not the server's. */
export function ChainCountdown({ until }: { until: string }) {
  const { t } = useI18n()
  const { data, dataUpdatedAt } = useQuery(overviewQuery)
  const sinceReadMs = useSecond() - serverNowMs(dataUpdatedAt)
  if (data === undefined) return null
  const chainNow = Date.parse(data.lastUpdated) + sinceReadMs
  const span = spanOf(Date.parse(until) - chainNow)
  const text = formatSpan(span)
  return (
    <span className={css.number} title={formatUtc(until)}>
      {span.negative ? t('time.due', { span: text }) : t('time.in', { span: text })}
    </span>
  )
}

export function CopyButton({ text, what }: { text: string; what: string }) {
  const { t } = useI18n()
  const [copied, setCopied] = useState(false)
  const copy = () => {
    void navigator.clipboard.writeText(text).then(() => {
      setCopied(true)
      setTimeout(() => setCopied(false), 1_500)
    })
  }
  return (
    <button type="button" className={css.copy} onClick={copy} aria-label={t('ui.copy', { what })}>
      <CopyIcon done={copied} />
    </button>
  )
}

function CopyIcon({ done }: { done: boolean }) {
  return (
    <svg width={14} height={14} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth={1.5} aria-hidden="true">
      {done ? <path d="M3 8.5 6.5 12 13 4.5" /> : <path d="M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3" />}
    </svg>
  )
}

/** An address, shortened, with the name of whom or what it belongs to where one is known, and a link to it on the chain's explorer; `name`
 * is for one that stands beside it already (null) or that only the caller knows. */
export function Address({ of, name: given }: { of: string; name?: string | null | undefined }) {
  const known = useNameOf()(of)
  const name = given === undefined ? known : given
  return (
    <span className={css.address}>
      <Tooltip label={of} openDelay={400}>
        <span className={css.mono}>
          <OnExplorer path={`address/${of}`}>{name === null ? shortHex(of) : `${name} · ${shortHex(of)}`}</OnExplorer>
        </span>
      </Tooltip>
      <CopyButton text={of} what={shortHex(of)} />
    </span>
  )
}

/** A transaction's hash, with a link to it on the chain's explorer. */
export function TxHash({ of }: { of: string }) {
  return (
    <span className={css.address}>
      <span className={css.mono} title={of}>
        <OnExplorer path={`tx/${of}`}>{shortHex(of)}</OnExplorer>
      </span>
      <CopyButton text={of} what={shortHex(of)} />
    </span>
  )
}

/** A link to the chain's block explorer, where the settings name one. It learns nothing of the page that it was opened from. */
function OnExplorer({ path, children }: { path: string; children: ReactNode }) {
  const { data } = useQuery(configQuery)
  if (data === undefined || data.explorerUrl === null) return children
  return (
    <a href={`${data.explorerUrl}/${path}`} target="_blank" rel="noreferrer">
      {children}
    </a>
  )
}

/** A hash to compare, in full. */
export function Hash({ of }: { of: string }) {
  return (
    <span>
      <span className={css.mono}>{of}</span>
      <CopyButton text={of} what={shortHex(of)} />
    </span>
  )
}

const COLORS: Record<string, string> = {
  OK: 'green', FINAL: 'green', SETTLED: 'green', APPROVED: 'green', DONE: 'green', SENT: 'green', EXECUTED: 'green', APPLIED: 'green', RESOLVED: 'green',
  SATISFIED_EXTERNALLY: 'green',
  PENDING: 'blue', QUEUED: 'blue', SIMULATED: 'blue', SENDING: 'blue', SIGNED: 'blue', BROADCAST: 'blue', MINED: 'blue', COLLECTING: 'blue',
  READY: 'blue', EXECUTING: 'blue', IN_PROGRESS: 'blue', DUE: 'blue', SCHEDULED: 'blue', REQUESTED: 'blue',
  DRAFT: 'yellow', PENDING_APPROVAL: 'yellow', PARTIALLY_APPROVED: 'yellow', AWAITING_OWNERS: 'yellow', WARN: 'yellow', WARNING: 'yellow', DEGRADED: 'yellow',
  ACKNOWLEDGED: 'yellow', PARTIALLY_DONE: 'yellow', EMERGENCY: 'orange', ESCALATE: 'orange', QUARANTINED: 'orange',
  REJECTED: 'red', VOID: 'red', FAILED: 'red', REVERTED: 'red', EXPIRED: 'red', DOWN: 'red', CRITICAL: 'red', OVERDUE: 'red', DEAD_LETTERED: 'red',
  AWAY: 'orange', SHORT: 'red', OPEN: 'red', NORMAL: 'green', ELEVATED: 'yellow', HIGH: 'orange', FAULT: 'red', LOW_GAS: 'orange', COMPETING: 'orange', ACTIVE: 'green', UNKNOWN: 'orange',
  PROPOSED: 'blue', SUBMITTED: 'blue', PARTIALLY_EXECUTED: 'orange', NOT_EXECUTED: 'red', REFUSED: 'red', NEEDED: 'yellow', NOT_NEEDED: 'green', MET: 'yellow',
  FORECAST_NONE: 'green', FORECAST_MONITOR: 'yellow', FORECAST_PREPARE_LIQUIDITY: 'orange', FORECAST_EMERGENCY: 'red',
  AS_EXPECTED: 'green', NOT_AS_EXPECTED: 'orange',
  ARMED: 'yellow', DECLARED: 'red', CONTAINING: 'red', FREEING: 'orange', STABLE: 'yellow', LEAVING: 'blue', CLOSED: 'green', NOT_SELECTED: 'orange',
  COVERED: 'green', KEPT: 'green', WITHIN_BAND: 'green', TRUSTED: 'green', COUNTED: 'green', SHADOW: 'blue', SAME_UPSTREAM: 'gray',
  STALE: 'orange', OUTLIER: 'orange', FAULTY: 'red', UNCOVERED: 'red', BROKEN: 'red', OUTSIDE_BAND: 'red', UNTRUSTED: 'red',
}

/** A state of the API, in the reader's language, with a color that never says more than its text. */
export function Status({ of }: { of: string }) {
  const { t } = useI18n()
  return (
    <Badge color={COLORS[of] ?? 'gray.6'} variant="dot" className={css.status}>
      {t(`status.${of}` as Key) || of}
    </Badge>
  )
}

export function RedemptionLink({ requestId, children }: { requestId: string; children?: ReactNode }) {
  return (
    <Link to="/redemptions/$requestId" params={{ requestId }}>
      {children ?? `#${requestId}`}
    </Link>
  )
}
