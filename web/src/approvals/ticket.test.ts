import { describe, expect, it } from 'vitest'
import type { Schemas } from '../api/client'
import { openTickets, votesOf } from './ticket'

const VERA = '0x00000000000000000000000000000000000000Ab'
const ticket = (id: string, fields: Partial<Schemas['TicketView']> = {}) =>
  ({ id, status: 'PENDING', requestId: '7', owner: '0x01', receiver: '0x02', ...fields }) as Schemas['TicketView']

const report = {
  waiting: [
    ticket('open'),
    ticket('half', { status: 'PARTIALLY_APPROVED' }),
    // Decided, while its request still awaits the transaction on chain.
    ticket('approved', { status: 'APPROVED' }),
    ticket('rejected', { status: 'REJECTED' }),
    ticket('plan', { requestId: null, owner: null, receiver: null }),
    ticket('own', { owner: VERA }),
    ticket('to herself', { receiver: VERA.toLowerCase() }),
  ],
}
const ids = (tickets: readonly { id: string }[]) => tickets.map(({ id }) => id)

describe('tickets', () => {
  it('wait for votes until they are decided, also before the chain shows it', () =>
    expect(ids(openTickets(report))).toEqual(['open', 'half', 'plan', 'own', 'to herself']))

  it('are votes of a person where they are about redemptions of others', () => expect(ids(votesOf(report, VERA))).toEqual(['open', 'half']))

  it('are never more votes than what waits', () => {
    const waiting = new Set(ids(openTickets(report)))
    for (const id of ids(votesOf(report, '0x99'))) expect(waiting).toContain(id)
  })
})
