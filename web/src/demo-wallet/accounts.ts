/** The demo's people and their keys, as the API serves them on the demo's chain. */
import type { Hex } from 'viem'

export interface DemoAccount {
  name: string
  role: string
  address: string
  key: Hex
}

export interface DemoAccounts {
  chainId: number
  accounts: readonly DemoAccount[]
}

const CHOSEN = 'paimon.demo-wallet'
let loading: Promise<DemoAccounts> | null = null

export function loadAccounts(): Promise<DemoAccounts> {
  loading ??= fetch('/console/demo/accounts.json').then((answer) => {
    if (!answer.ok) throw new Error(`the demo's accounts cannot be read: ${answer.status}`)
    return answer.json() as Promise<DemoAccounts>
  })
  loading.catch(() => (loading = null))
  return loading
}

export function chosenName(): string | null {
  return window.localStorage.getItem(CHOSEN)
}

export function choose(name: string | null): void {
  if (name === null) window.localStorage.removeItem(CHOSEN)
  else window.localStorage.setItem(CHOSEN, name)
}
