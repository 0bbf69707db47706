/** A stress scenario of one's own: in the URL, as a person types it, and as the API takes it. */
import type { Schemas } from '../api/client'
import { bpsOf, bpsPercent, countOf } from '../format/amounts'
import type { Translate } from '../i18n'

export const RUN_DAYS_MAX = 60
export const LEAVING_MAX = 1_000
const BPS_MAX = 10_000

/** In the URL; parts in basis points. What is left out is not in the scenario. */
export interface ScenarioSearch {
  run?: number | undefined
  days?: number | undefined
  l1?: number | undefined
  l2?: number | undefined
  l3?: number | undefined
  frozen?: boolean | undefined
  leaving?: number | undefined
}

export const FALLS = ['l1', 'l2', 'l3'] as const
export type Part = 'run' | (typeof FALLS)[number]
const TIERS = { l1: 'L1', l2: 'L2', l3: 'L3' } as const

/** What a person has typed. */
export type Draft = Record<Part | 'days' | 'leaving', string> & { frozen: boolean }

export function draftOf(search: ScenarioSearch): Draft {
  const part = (bps: number | undefined) => (bps === undefined ? '' : bpsPercent(bps).replace(' %', ''))
  const count = (value: number | undefined) => (value === undefined ? '' : `${value}`)
  const { run, l1, l2, l3, days, leaving, frozen } = search
  return { run: part(run), l1: part(l1), l2: part(l2), l3: part(l3), days: count(days), leaving: count(leaving), frozen: frozen ?? false }
}

/** The fields of a draft that are not what they should be. */
export function faultsOf(draft: Draft): ReadonlySet<keyof Draft> {
  const parts = (['run', ...FALLS] as const).filter((part) => draft[part] !== '' && (bpsOf(draft[part]) ?? BPS_MAX + 1) > BPS_MAX)
  const days = draft.days === '' ? 1 : (countOf(draft.days) ?? 0)
  const leaving = draft.leaving === '' ? 0 : (countOf(draft.leaving) ?? LEAVING_MAX + 1)
  return new Set<keyof Draft>([
    ...parts,
    ...(days < 1 || days > RUN_DAYS_MAX ? (['days'] as const) : []),
    ...(leaving > LEAVING_MAX ? (['leaving'] as const) : []),
  ])
}

/** The draft as it stands in the URL, without what is empty or nothing. */
export function searchOf(draft: Draft): ScenarioSearch {
  const part = (text: string) => bpsOf(text) || undefined
  const run = part(draft.run)
  return {
    run,
    days: run === undefined ? undefined : (countOf(draft.days) ?? 1),
    l1: part(draft.l1),
    l2: part(draft.l2),
    l3: part(draft.l3),
    frozen: draft.frozen || undefined,
    leaving: countOf(draft.leaving) || undefined,
  }
}

/** The scenario as the API takes it; null where the URL has none. */
export function scenarioOf(search: ScenarioSearch, t: Translate): Schemas['ScenarioBody'] | null {
  const { run = 0, days = 1, frozen = false, leaving = 0 } = search
  const falls = FALLS.flatMap((part) => (search[part] ? [{ tier: TIERS[part], bps: search[part] }] : []))
  const name = [
    run > 0 ? t('stress.runText', { part: bpsPercent(run), days }) : null,
    ...falls.map(({ tier, bps }) => t('stress.fallText', { tier, part: bpsPercent(bps) })),
    frozen ? t('stress.frozen') : null,
    leaving > 0 ? t('stress.leavingText', { count: leaving }) : null,
  ].filter((text) => text !== null)
  if (name.length === 0) return null
  return { name: name.join(', '), runBps: run, runDays: days, falls, frozen: [], freezesLargest: frozen, leavingHolders: leaving }
}
