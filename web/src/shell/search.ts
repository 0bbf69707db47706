/** Filters in the URL: what is not one of the known values is left out, so that an old link still opens its page. */

export function oneOf<Value extends string>(values: readonly Value[], given: unknown): Value | undefined {
  return values.find((value) => value === given)
}

export function pageOf(given: unknown): number | undefined {
  return typeof given === 'number' && Number.isInteger(given) && given > 1 ? given : undefined
}

/** A whole number from `least` to `most`. */
export function wholeOf(given: unknown, least: number, most: number): number | undefined {
  return typeof given === 'number' && Number.isInteger(given) && given >= least && given <= most ? given : undefined
}

export function dayOf(given: unknown): string | undefined {
  return typeof given === 'string' && /^\d{4}-\d{2}-\d{2}$/.test(given) ? given : undefined
}

export function flagOf(given: unknown): boolean | undefined {
  return typeof given === 'boolean' ? given : undefined
}

export function textOf(given: unknown): string | undefined {
  return typeof given === 'string' && given !== '' ? given : undefined
}

type Optional<T> = { [K in keyof T]?: T[K] }

/** Leave out what is undefined, so that it is not in the URL. */
export function present<T extends Record<string, unknown>>(search: T): Optional<T> {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as Optional<T>
}
