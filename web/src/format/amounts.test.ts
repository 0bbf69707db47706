import { describe, expect, it } from 'vitest'
import { bpsOf, bpsPercent, countOf, exact, formatRaw, grouped, parseRaw, percent, thousandths } from './amounts'

const MAX = (1n << 256n) - 1n

describe('amounts', () => {
  it('keeps every digit of the largest on-chain integer', () => {
    const text = exact(MAX, 18)
    expect(text.replace('.', '')).toBe(MAX.toString())
    expect(parseRaw(MAX.toString())).toBe(MAX)
  })

  it.each([
    [123_456_789n, 6, '123.456789'],
    [1n, 18, '0.000000000000000001'],
    [0n, 18, '0'],
    [-15n, 1, '-1.5'],
    [100n, 0, '100'],
  ])('writes %s with %s decimals as %s', (raw, decimals, text) => expect(exact(raw, decimals)).toBe(text))

  it('cuts and never rounds up', () => {
    expect(formatRaw(119_999_999_999_999_998_999_920_000n, 21)).toBe('119,999.99')
    expect(grouped('0.999999999999991666', 6)).toBe('0.999999')
  })

  it('shows no sign before what is cut to zero', () => expect(grouped('-0.001', 2)).toBe('0.00'))

  it('groups thousands', () => expect(grouped('1234567.5', 2)).toBe('1,234,567.50'))

  it.each(['', '1e18', '0x10', '1.5', 'NaN'])('refuses %s as an integer', (text) => expect(() => parseRaw(text)).toThrow(RangeError))

  it.each([
    ['0.3099', '30.99 %'],
    ['1', '100.00 %'],
    ['0.00005', '0.00 %'],
    ['-0.0123456', '-1.23 %'],
  ])('shows the ratio %s as %s', (ratio, text) => expect(percent(ratio)).toBe(text))

  it('measures a bar in thousandths, and an empty whole as nothing', () => {
    expect(thousandths(1n, 3n)).toBe(333)
    expect(thousandths(1n, 0n)).toBe(0)
  })

  it.each([
    ['12.5', 1_250],
    ['0.01', 1],
    ['100', 10_000],
    [' 7 ', 700],
    ['1.005', null],
    ['-1', null],
    ['1e2', null],
    ['', null],
  ])('reads %s percent as %s basis points', (text, bps) => expect(bpsOf(text)).toBe(bps))

  it.each([0, 1, 50, 1_250, 10_000])('writes and reads %s basis points', (bps) => expect(bpsOf(bpsPercent(bps).replace(' %', ''))).toBe(bps))

  it.each([
    ['60', 60],
    ['6.5', null],
    ['1234567', null],
  ])('reads the count %s as %s', (text, count) => expect(countOf(text)).toBe(count))
})
