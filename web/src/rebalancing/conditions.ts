/** The unit of each condition's figure and threshold. */
import type { Schemas } from '../api/client'

export type Unit = 'amount' | 'bps' | 'count'

const UNITS: Record<Schemas['ConditionName'], Unit> = {
  short_of_cash: 'amount',
  l1_below: 'bps',
  l1_above: 'bps',
  tier_deviation: 'bps',
  largest_asset: 'bps',
  three_largest_assets: 'bps',
  deposit: 'amount',
  window_opened: 'count',
  asset_matured: 'count',
  price_move: 'bps',
  daily_deviation: 'bps',
  manual_request: 'count',
}

/** Return the unit of a condition; a condition of a newer API is shown as the number that it is. */
export function unitOf(name: Schemas['ConditionName']): Unit {
  return UNITS[name] ?? 'count'
}
