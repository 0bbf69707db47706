/** Wallets of the browser, found by EIP-6963 only. The console reads nothing from a node: wallets sign, the API does the rest. */
import { defineChain, type Chain } from 'viem'
import { createConfig, custom } from 'wagmi'

const NATIVE = { name: 'BNB', symbol: 'BNB', decimals: 18 }

function chain(id: number, name: string, rpcUrl: string): Chain {
  return defineChain({ id, name, nativeCurrency: NATIVE, rpcUrls: { default: { http: [rpcUrl] } } })
}

/** The chains that the fund runs on, and what a wallet needs to add one. */
export const CHAINS: readonly [Chain, ...Chain[]] = [
  chain(56, 'BNB Smart Chain', 'https://bsc-dataseed.bnbchain.org'),
  chain(97, 'BNB Smart Chain Testnet', 'https://bsc-testnet-dataseed.bnbchain.org'),
  chain(31337, 'Paimon demo', 'http://127.0.0.1:8545'),
]

export function chainName(id: number): string {
  return CHAINS.find((known) => known.id === id)?.name ?? `chain ${id}`
}

const noReads = custom({
  request: ({ method }: { method: string }) => Promise.reject(new Error(`the console asks no node: ${method}`)),
})

export const walletConfig = createConfig({
  chains: CHAINS,
  connectors: [],
  multiInjectedProviderDiscovery: true,
  transports: Object.fromEntries(CHAINS.map(({ id }) => [id, noReads])),
})
