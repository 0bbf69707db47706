/** Times: shown in the reader's zone or UTC, measured by the server's clock. */

export type Zone = 'local' | 'UTC'

let serverAheadMs = 0

/** Learn the server's clock from the time of one of its answers. */
export function learnServerTime(timestamp: string, receivedAtMs: number): void {
  const server = Date.parse(timestamp)
  if (!Number.isNaN(server)) serverAheadMs = server - receivedAtMs
}

/** Now, or a moment of the reader's clock, by the server's clock: a countdown does not depend on the reader's. */
export function serverNowMs(ownMs: number = Date.now()): number {
  return ownMs + serverAheadMs
}

export function formatTime(iso: string, zone: Zone, locale: string): string {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(zone === 'UTC' ? { timeZone: 'UTC' } : {}),
  }
  return new Intl.DateTimeFormat(locale, options).format(new Date(iso)) + (zone === 'UTC' ? ' UTC' : '')
}

export function formatUtc(iso: string): string {
  return `${new Date(iso).toISOString().replace('T', ' ').slice(0, 19)} UTC`
}

export interface Span {
  readonly negative: boolean
  readonly days: number
  readonly hours: number
  readonly minutes: number
  readonly seconds: number
}

export function spanOf(milliseconds: number): Span {
  const total = Math.floor(Math.abs(milliseconds) / 1000)
  return {
    negative: milliseconds < 0,
    days: Math.floor(total / 86_400),
    hours: Math.floor(total / 3600) % 24,
    minutes: Math.floor(total / 60) % 60,
    seconds: total % 60,
  }
}

/** The two largest units of a span: `2d 4h`, `3h 20m`, `4m 09s`, `12s`. */
export function formatSpan(span: Span): string {
  const pad = (value: number) => value.toString().padStart(2, '0')
  if (span.days > 0) return `${span.days}d ${span.hours}h`
  if (span.hours > 0) return `${span.hours}h ${pad(span.minutes)}m`
  if (span.minutes > 0) return `${span.minutes}m ${pad(span.seconds)}s`
  return `${span.seconds}s`
}

/** The UTC day of a time, as the API's filters take it. */
export function utcDay(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10)
}
