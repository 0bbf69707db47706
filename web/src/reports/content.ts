/** The parts of a report that its page shows. The API's document leaves their form open, so it stands here. Decimals are texts, and a
 * section that is left out is null. */
import type { Schemas } from '../api/client'

export interface Block {
  number: number
  hash: string
  time: string
}

interface Content {
  opening: Block | null
  closing: Block | null
  summary: { openingNav: string; closingNav: string; navChange: string; openingAum: string; closingAum: string; aumChange: string; closingShares: string } | null
  change: { parts: readonly { group: string; amount: string; perShare: string; events: number }[] } | null
  flows: { netFlow: string } | null
  liquidity: { tiers: readonly { tier: string; value: string; ratio: string; minimum: string; maximum: string; withinBand: boolean }[] } | null
  promises: { open: { count: number; amount: string } } | null
  risk: { eventsOpened: number; eventsOpen: number } | null
  checks: readonly { name: string; left: string; right: string; holds: boolean }[]
}

const NOTHING: Content = { opening: null, closing: null, summary: null, change: null, flows: null, liquidity: null, promises: null, risk: null, checks: [] }

export function contentOf(data: Schemas['ReportDataView']): Content {
  return { ...NOTHING, ...(data as unknown as Partial<Content>) }
}
