import { describe, expect, it } from 'vitest'
import { savedByPlan } from './saved'

describe('what a plan saves', () => {
  it('is the sum of its trades, those that cost more too', () =>
    expect(savedByPlan([{ saved: '70', isLeft: false }, { saved: '-30', isLeft: false }])).toBe(40n))

  it('leaves out what waits for the next plan', () => {
    expect(savedByPlan([{ saved: '5', isLeft: false }, { saved: '900', isLeft: true }])).toBe(5n)
    expect(savedByPlan([{ saved: '900', isLeft: true }])).toBe(0n)
  })
})
