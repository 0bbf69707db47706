/** What the command palette offers for a text: things by their number, address or hash first, then what the text is a part of. */
import { shortHex } from '../format/addresses'
import type { Translate } from '../i18n'

export interface Command {
  label: string
  run: () => void
}

export interface Targets {
  named: readonly Command[]
  openRedemption: (requestId: string) => void
  openTicket: (ticketId: string) => void
  openRedemptionsOf: (owner: string) => void
  openProposal: (safeTxHash: string) => void
}

const SHOWN_MAX = 50

export function commandsFor(text: string, targets: Targets, t: Translate): Command[] {
  const sought = text.trim()
  const parts = sought.toLowerCase().split(/\s+/)
  const matching = targets.named.filter(({ label }) => parts.every((part) => label.toLowerCase().includes(part)))
  return [...thingsOf(sought, targets, t), ...matching].slice(0, SHOWN_MAX)
}

function thingsOf(sought: string, targets: Targets, t: Translate): Command[] {
  const number = /^#?(\d{1,78})$/.exec(sought)?.[1]
  if (number !== undefined) return [{ label: t('redemption.title', { request: number }), run: () => targets.openRedemption(number) }]
  if (/^tkt-\w+$/i.test(sought)) {
    const ticket = sought.toUpperCase()
    return [{ label: t('ticket.title', { ticket }), run: () => targets.openTicket(ticket) }]
  }
  if (/^0x[0-9a-f]{40}$/i.test(sought)) {
    return [{ label: t('palette.redemptionsOf', { owner: shortHex(sought) }), run: () => targets.openRedemptionsOf(sought) }]
  }
  if (/^0x[0-9a-f]{64}$/i.test(sought)) {
    return [{ label: t('palette.proposal', { hash: shortHex(sought) }), run: () => targets.openProposal(sought) }]
  }
  return []
}
