import { describe, expect, it } from 'vitest'
import { fill } from '../i18n'
import { en } from '../i18n/en'
import { isSameGate } from './gate'
import { scenarioOf, type ScenarioSearch } from './scenario'

const t = (key: keyof typeof en, values?: Record<string, string | number>) => fill(en[key], values)
const gateOf = (search: ScenarioSearch, limitBps = 1_000, windowDays = 30) => {
  const scenario = scenarioOf(search, t)
  return { limitBps, windowDays, ...(scenario === null ? {} : { scenario }) }
}
const RUN = { run: 1250, days: 5 }

describe('the result of a gate', () => {
  it('belongs to its own question', () => {
    expect(isSameGate(gateOf({}), gateOf({}))).toBe(true)
    expect(isSameGate(gateOf(RUN), gateOf(RUN))).toBe(true)
  })

  it('is the same in another language', () => {
    const asked = gateOf(RUN)
    expect(isSameGate(asked, { ...asked, scenario: { ...scenarioOf(RUN, t)!, name: '五天内' } })).toBe(true)
  })

  it.each([
    ['another limit', gateOf(RUN, 1_001)],
    ['other days', gateOf(RUN, 1_000, 31)],
    ['another scenario', gateOf({ ...RUN, days: 6 })],
    ['a frozen asset', gateOf({ ...RUN, frozen: true })],
    ['no scenario', gateOf({})],
    ['a question that is not whole', null],
  ])('does not belong to %s', (_, now) => expect(isSameGate(gateOf(RUN), now)).toBe(false))

  it('is none before it was asked for', () => expect(isSameGate(undefined, gateOf({}))).toBe(false))
})
