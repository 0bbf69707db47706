import type { Schemas } from '../api/client'

export type Ticket = Schemas['TicketDetailView']
/** A ticket about a redemption: the fields that only such a ticket has are there. */
type OfRedemption<T> = T & { requestId: string; owner: string; receiver: string }
export type RedemptionTicket = OfRedemption<Ticket>

export function isRedemption<T extends Schemas['TicketView']>(ticket: T): ticket is OfRedemption<T> {
  return ticket.requestId !== null && ticket.owner !== null && ticket.receiver !== null
}

/** The tickets that still take votes, the most urgent first. A decided one waits for the chain, and for no person. */
export function openTickets({ waiting }: Pick<Schemas['SlaReportView'], 'waiting'>): Schemas['TicketView'][] {
  return waiting.filter(({ status }) => status === 'PENDING' || status === 'PARTIALLY_APPROVED')
}

/** Those of the open tickets that a person votes on: redemptions of others. Owners approve a plan by signing its Safe transaction. */
export function votesOf(report: Pick<Schemas['SlaReportView'], 'waiting'>, address: string): OfRedemption<Schemas['TicketView']>[] {
  const isOwn = (party: string) => party.toLowerCase() === address.toLowerCase()
  return openTickets(report).filter(isRedemption).filter(({ owner, receiver }) => !isOwn(owner) && !isOwn(receiver))
}
