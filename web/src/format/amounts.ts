/** On-chain integers arrive as decimal strings. They become bigint here, and text at once: never a JavaScript number. */

const GROUP = /\B(?=(\d{3})+(?!\d))/g

export function parseRaw(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new RangeError(`not an integer in decimal digits: ${text}`)
  return BigInt(text)
}

/** The exact decimal number of a raw amount, without grouping. */
export function exact(raw: bigint, decimals: number): string {
  const negative = raw < 0n
  const digits = (negative ? -raw : raw).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, '')
  return `${negative ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`
}

/** A decimal number with grouping, cut (never rounded up) to so many places. */
export function grouped(decimal: string, places: number): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(decimal)
  if (match === null) throw new RangeError(`not a decimal number: ${decimal}`)
  const [, sign = '', whole = '0', fraction = ''] = match
  const shown = fraction.slice(0, places).padEnd(places, '0')
  const text = `${whole.replace(GROUP, ',')}${places > 0 ? `.${shown}` : ''}`
  const isZero = /^[0,.]*$/.test(text)
  return isZero ? text : `${sign}${text}`
}

export function formatRaw(raw: bigint, decimals: number, places = 2): string {
  return grouped(exact(raw, decimals), places)
}

/** A ratio of 1, as a decimal string, in percent. */
export function percent(ratio: string, places = 2): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(ratio)
  if (match === null) throw new RangeError(`not a decimal number: ${ratio}`)
  const [, sign = '', whole = '0', fraction = ''] = match
  const moved = fraction.padEnd(2, '0')
  const integer = `${whole}${moved.slice(0, 2)}`.replace(/^0+(?=\d)/, '')
  const rest = moved.slice(2)
  return `${grouped(`${sign}${integer}${rest ? `.${rest}` : ''}`, places)} %`
}

/** Basis points in percent, such as `12.5 %`. */
export function bpsPercent(bps: number | bigint): string {
  return `${exact(BigInt(bps), 2)} %`
}

/** The basis points of a percentage that a person typed, with two places at most; null for anything else. */
export function bpsOf(percentage: string): number | null {
  const match = /^(\d{1,3})(?:\.(\d{1,2}))?$/.exec(percentage.trim())
  if (match === null) return null
  const [, whole = '0', fraction = ''] = match
  return countOf(`${whole}${fraction.padEnd(2, '0')}`)
}

/** A small whole number that a person typed, such as a number of days; null for anything else. */
export function countOf(text: string): number | null {
  // eslint-disable-next-line no-restricted-syntax -- at most six digits, and not an amount
  return /^\d{1,6}$/.test(text.trim()) ? Number(text.trim()) : null
}

/** A share of a whole in thousandths, for the length of a bar only: what is shown as a number never comes from here. */
export function thousandths(part: bigint, whole: bigint): number {
  if (whole <= 0n) return 0
  const share = (part * 1000n) / whole
  return toPlotNumber(share)
}

/** Where a value lies in a drawing. A drawing has a few hundred pixels, so the lost digits are invisible. */
export function toPlotNumber(value: bigint): number {
  // eslint-disable-next-line no-restricted-syntax -- pixels, not an amount
  return Number(value)
}

/** A decimal ratio as a place in a drawing. */
export function ratioToPlotNumber(ratio: string): number {
  // eslint-disable-next-line no-restricted-syntax -- pixels, not an amount
  return Number(ratio)
}
