/** What a plan saves. */
import type { Schemas } from '../api/client'
import { parseRaw } from '../format/amounts'

/** Sum what the trades of a plan save, in raw units. What is left to the next plan is no part of it, as in its other sums. */
export function savedByPlan(actions: readonly Pick<Schemas['ActionView'], 'saved' | 'isLeft'>[]): bigint {
  return actions.reduce((sum, { saved, isLeft }) => (isLeft ? sum : sum + parseRaw(saved)), 0n)
}
