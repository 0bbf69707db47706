import { grouped } from '../format/amounts'
import type { Key, Translate } from '../i18n'

export function indicatorName(name: string, t: Translate): string {
  return t(`indicator.${name}` as Key) || name
}

/** A measured value; what is without bound is infinite. */
export function measured(value: string): string {
  if (/^-?\d+(\.\d+)?$/.test(value)) return grouped(value, 4)
  return value === 'Infinity' ? '∞' : value
}
