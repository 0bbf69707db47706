import { formatRaw, parseRaw } from '../format/amounts'
import type { Key, Translate } from '../i18n'
import { indicatorName, measured } from '../risk/indicators'
import { FUND_DECIMALS } from '../ui/values'

export interface EvidenceRow {
  name: string
  before: string
  /** Before the end there is none. */
  after: string
}

type Evidence = Record<string, unknown>

const NONE = '–'
const AMOUNTS = ['netAssets', 'cash', 'redemptionLiability'] as const

/**
 * The recorded figures of the beginning beside those of the end. The record has a form of its own time: what it lacks, or has in
 * another form, is left out rather than guessed.
 */
export function evidenceRows(before: Evidence, after: Evidence | null, t: Translate): EvidenceRow[] {
  const of = (name: string, read: (evidence: Evidence) => string): EvidenceRow => ({ name, before: read(before), after: after === null ? NONE : read(after) })
  const tiers = Object.keys(partOf(before, 'tiers')).sort()
  const indicators = Object.keys(partOf(before, 'indicators'))
  return [
    of(t('emergency.figure.block'), (evidence) => plain(partOf(evidence, 'block').number)),
    of(t('emergency.figure.level'), (evidence) => level(evidence.level, t)),
    of(t('emergency.figure.policyVersion'), (evidence) => plain(evidence.policyVersion)),
    ...AMOUNTS.map((figure) => of(t(`emergency.figure.${figure}`), (evidence) => amount(evidence[figure]))),
    ...tiers.map((tier) => of(`${tier} (USDT)`, (evidence) => amount(partOf(evidence, 'tiers')[tier]))),
    ...indicators.map((indicator) => of(indicatorName(indicator, t), (evidence) => value(partOf(evidence, 'indicators')[indicator]))),
  ]
}

function partOf(evidence: Evidence, name: string): Evidence {
  const part = evidence[name]
  return typeof part === 'object' && part !== null ? (part as Evidence) : {}
}

function plain(given: unknown): string {
  return typeof given === 'number' || typeof given === 'string' ? `${given}` : NONE
}

function level(given: unknown, t: Translate): string {
  return typeof given === 'string' ? t(`status.${given}` as Key) || given : NONE
}

function amount(given: unknown): string {
  return typeof given === 'string' && /^-?\d+$/.test(given) ? formatRaw(parseRaw(given), FUND_DECIMALS) : NONE
}

function value(given: unknown): string {
  return typeof given === 'string' ? measured(given) : NONE
}
