import type { Schemas } from '../api/client'

export type Ticket = Schemas['TicketDetailView']
/** A ticket about a redemption: the fields that only such a ticket has are there. */
export type RedemptionTicket = Ticket & { requestId: string; owner: string; receiver: string }

export function isRedemption(ticket: Ticket): ticket is RedemptionTicket {
  return ticket.requestId !== null && ticket.owner !== null && ticket.receiver !== null
}
