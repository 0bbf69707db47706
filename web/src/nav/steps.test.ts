import { describe, expect, it } from 'vitest'
import { waterfall } from './steps'

describe('waterfall', () => {
  it('begins each cause where the one before ended', () => {
    const { steps, low, high } = waterfall(100n, 90n, [
      { group: 'deposits', amount: 20n },
      { group: 'trading', amount: -30n },
    ])
    expect(steps.map(({ start, end }) => [start, end])).toEqual([
      [100n, 120n],
      [120n, 90n],
    ])
    expect([low, high]).toEqual([90n, 120n])
  })

  it('keeps amounts that a number could not', () => {
    const from = 23_999_999_999_999_799_999_999_992n
    expect(waterfall(from, from + 1n, [{ group: 'rounding', amount: 1n }]).high).toBe(from + 1n)
  })

  it('has no step where nothing changed', () => expect(waterfall(5n, 5n, [])).toEqual({ steps: [], low: 5n, high: 5n }))

  it('refuses causes that do not add up', () => expect(() => waterfall(1n, 3n, [{ group: 'price', amount: 1n }])).toThrow(RangeError))
})
