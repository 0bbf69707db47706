/** Own targets of the tiers: as a person types them, in percent, and as the API takes them, in basis points. */
import type { Schemas } from '../api/client'
import { bpsOf, bpsPercent } from '../format/amounts'

export type Shares = Schemas['TierSharesView']

export const TIERS = ['L1', 'L2', 'L3'] as const
export type Tier = (typeof TIERS)[number]

const WHOLE_BPS = 10_000

/** What a person has typed. */
export type TargetsDraft = Record<Tier, string>

export function draftOfShares(shares: Shares): TargetsDraft {
  const text = (bps: number) => bpsPercent(bps).replace(' %', '')
  return { L1: text(shares.L1), L2: text(shares.L2), L3: text(shares.L3) }
}

export type Targets =
  | { kind: 'valid'; targets: Shares }
  /** These are no percentages with two places at most. */
  | { kind: 'unreadable'; tiers: readonly Tier[] }
  /** All are percentages, but they do not add up to 100 %. */
  | { kind: 'sum'; bps: number }

export function targetsOf(draft: TargetsDraft): Targets {
  const parts = TIERS.map((tier) => bpsOf(draft[tier]))
  const [l1, l2, l3] = parts
  if (l1 == null || l2 == null || l3 == null) return { kind: 'unreadable', tiers: TIERS.filter((_tier, index) => parts[index] == null) }
  const bps = l1 + l2 + l3
  return bps === WHOLE_BPS ? { kind: 'valid', targets: { L1: l1, L2: l2, L3: l3 } } : { kind: 'sum', bps }
}
