import { describe, expect, it } from 'vitest'
import { fill } from '../i18n'
import { en } from '../i18n/en'
import { draftOf, faultsOf, scenarioOf, searchOf } from './scenario'

const t = (key: keyof typeof en, values?: Record<string, string | number>) => fill(en[key], values)
const EMPTY = draftOf({})

describe('a scenario of one’s own', () => {
  it('is the same after a way through the URL', () => {
    const search = { run: 1250, days: 20, l1: undefined, l2: 500, l3: 2_000, frozen: true, leaving: 3 }
    expect(searchOf(draftOf(search))).toEqual(search)
  })

  it('is sent in basis points, named in words', () => {
    const scenario = scenarioOf({ run: 1250, days: 5, l3: 50, leaving: 3 }, t)
    expect(scenario).toMatchObject({ runBps: 1250, runDays: 5, falls: [{ tier: 'L3', bps: 50 }], freezesLargest: false, leavingHolders: 3 })
    expect(scenario?.name).toBe('12.5 % requested in 5 day(s), L3 falls by 0.5 %, the 3 largest holders leave')
  })

  it('is none while nothing happens in it', () => expect(scenarioOf(searchOf({ ...EMPTY, days: '5', run: '0' }), t)).toBeNull())

  it.each([
    ['run', '100.01'],
    ['run', '-5'],
    ['l2', '1e3'],
    ['l3', '5.125'],
    ['days', '0'],
    ['days', '61'],
    ['leaving', '1001'],
    ['leaving', '2.5'],
  ] as const)('refuses %s of %s', (field, text) => expect([...faultsOf({ ...EMPTY, [field]: text })]).toEqual([field]))

  it('takes the edges', () => expect(faultsOf({ ...EMPTY, run: '100', l1: '0.01', days: '60', leaving: '1000' }).size).toBe(0))
})
