import { afterEach, describe, expect, it, vi } from 'vitest'
import { formatSpan, formatTime, formatUtc, learnServerTime, serverNowMs, spanOf } from './time'

afterEach(() => {
  vi.useRealTimers()
  learnServerTime(new Date().toISOString(), Date.now())
})

describe('times', () => {
  it('counts by the server’s clock, not the reader’s', () => {
    vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') })
    learnServerTime('2026-01-01T00:05:00Z', Date.now())
    vi.advanceTimersByTime(1_000)
    expect(new Date(serverNowMs()).toISOString()).toBe('2026-01-01T00:05:01.000Z')
  })

  it('keeps its clock when an answer has no time', () => {
    const before = serverNowMs(0)
    learnServerTime('soon', 0)
    expect(serverNowMs(0)).toBe(before)
  })

  it.each([
    [8 * 86_400_000, '8d 0h'],
    [3_600_000 * 3 + 60_000 * 5, '3h 05m'],
    [-61_000, '1m 01s'],
    [999, '0s'],
  ])('shows %s ms as %s', (milliseconds, text) => expect(formatSpan(spanOf(milliseconds))).toBe(text))

  it('tells what is past from what is to come', () => {
    expect(spanOf(-1).negative).toBe(true)
    expect(spanOf(1).negative).toBe(false)
  })

  it('shows UTC as such', () => {
    expect(formatUtc('2026-11-29T15:03:08.358440Z')).toBe('2026-11-29 15:03:08 UTC')
    expect(formatTime('2026-11-29T23:30:00Z', 'UTC', 'en-GB')).toMatch(/29 Nov 2026.*23:30:00 UTC$/)
  })
})
