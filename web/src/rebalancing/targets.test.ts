import { describe, expect, it } from 'vitest'
import { draftOfShares, targetsOf } from './targets'

describe('own targets', () => {
  it('are basis points that add up to the whole fund', () =>
    expect(targetsOf({ L1: '12.5', L2: ' 30', L3: '57.50' })).toEqual({ kind: 'valid', targets: { L1: 1_250, L2: 3_000, L3: 5_750 } }))

  it('are read back as they are shown', () => {
    for (const shares of [{ L1: 1_100, L2: 3_100, L3: 5_800 }, { L1: 1, L2: 0, L3: 9_999 }]) {
      expect(targetsOf(draftOfShares(shares))).toEqual({ kind: 'valid', targets: shares })
    }
  })

  it('name each part that is no percentage', () =>
    expect(targetsOf({ L1: '11 %', L2: '30', L3: '-1' })).toEqual({ kind: 'unreadable', tiers: ['L1', 'L3'] }))

  it('say what they add up to when that is not 100 %', () => expect(targetsOf({ L1: '11', L2: '30', L3: '59.01' })).toEqual({ kind: 'sum', bps: 10_001 }))
})
