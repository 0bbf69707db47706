/** The bars of a waterfall: each cause of a change from where the one before it ended. */

export interface Step {
  group: string
  start: bigint
  end: bigint
}

export interface Waterfall {
  steps: readonly Step[]
  low: bigint
  high: bigint
}

/** Place the causes between two totals. They add up exactly, so the last step ends at `to`. Throws RangeError if they do not. */
export function waterfall(from: bigint, to: bigint, causes: readonly { group: string; amount: bigint }[]): Waterfall {
  let at = from
  const steps = causes.map(({ group, amount }) => {
    const start = at
    at += amount
    return { group, start, end: at }
  })
  if (at !== to) throw new RangeError(`the causes lead to ${at}, not to ${to}`)
  const levels = [from, to, ...steps.map(({ end }) => end)]
  const low = levels.reduce((least, level) => (level < least ? level : least))
  const high = levels.reduce((most, level) => (level > most ? level : most))
  return { steps, low, high }
}
