import { describe, expect, it } from 'vitest'
import { fill } from '../i18n'
import { en } from '../i18n/en'
import { commandsFor, type Targets } from './commands'

const t = (key: keyof typeof en, values?: Record<string, string | number>) => fill(en[key], values)

function labelsFor(text: string): { labels: string[]; opened: string[] } {
  const opened: string[] = []
  const open = (kind: string) => (id: string) => void opened.push(`${kind} ${id}`)
  const targets: Targets = {
    named: ['Overview', 'Redemptions', 'Liquidity', 'Asset RWAC'].map((label) => ({ label, run: () => void opened.push(label) })),
    openRedemption: open('redemption'),
    openTicket: open('ticket'),
    openRedemptionsOf: open('owner'),
    openProposal: open('proposal'),
  }
  const commands = commandsFor(text, targets, t)
  commands[0]?.run()
  return { labels: commands.map(({ label }) => label), opened }
}

const ADDRESS = `0x${'aB'.repeat(20)}`

describe('the command palette', () => {
  it('offers everything for no text', () => expect(labelsFor(' ').labels).toHaveLength(4))

  it('finds by parts of the name, in any case', () => {
    expect(labelsFor('LIQ').labels).toEqual(['Liquidity'])
    expect(labelsFor('rwac asset').labels).toEqual(['Asset RWAC'])
  })

  it.each([
    ['7', 'redemption 7'],
    ['#12', 'redemption 12'],
    ['tkt-r000001', 'ticket TKT-R000001'],
    [ADDRESS, `owner ${ADDRESS}`],
    [`0x${'0f'.repeat(32)}`, `proposal 0x${'0f'.repeat(32)}`],
  ])('opens what %s names', (text, opened) => expect(labelsFor(text).opened).toEqual([opened]))

  it('offers nothing for what it does not know', () => expect(labelsFor('0xabc').labels).toEqual([]))
})
