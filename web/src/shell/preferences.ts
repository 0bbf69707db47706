/** What a reader chose for this browser. Storage may be forbidden; then a choice lasts as long as the page. */
type Name = 'language' | 'zone'

const inMemory = new Map<Name, string>()

export function readPreference(name: Name): string | null {
  try {
    return window.localStorage.getItem(`paimon.${name}`) ?? inMemory.get(name) ?? null
  } catch {
    return inMemory.get(name) ?? null
  }
}

export function writePreference(name: Name, value: string): void {
  inMemory.set(name, value)
  try {
    window.localStorage.setItem(`paimon.${name}`, value)
  } catch {
    // kept in memory
  }
}
