/** Whether two questions about a gate are the same: a result is shown beside its own question alone. */
import type { Schemas } from '../api/client'

type Gate = Schemas['GateBody']

/** The scenario's name is in the language of the page and changes nothing. */
const textOf = (gate: Gate) => JSON.stringify(gate, (field, value: unknown) => (field === 'name' ? undefined : value))

export function isSameGate(asked: Gate | undefined, now: Gate | null): boolean {
  return asked !== undefined && now !== null && textOf(asked) === textOf(now)
}
