/** Names of addresses: people, the fund's contracts, its wallets, Safes and assets. An investor has none here. */
import { useQuery } from '@tanstack/react-query'
import { assetsQuery, configQuery, usersQuery } from '../api/queries'
import type { Schemas } from '../api/client'

const WALLETS = ['keeper', 'approver', 'hot', 'warm', 'cold'] as const

export function useNameOf(): (address: string) => string | null {
  const config = useQuery(configQuery)
  const users = useQuery(usersQuery)
  const assets = useQuery(assetsQuery)
  return (address) => {
    const is = (other: string | null) => other?.toLowerCase() === address.toLowerCase()
    const user = users.data?.items.find((one) => is(one.address))
    return user?.name || ownName(config.data, is) || (assets.data?.items.find(({ token }) => is(token))?.symbol ?? null)
  }
}

function ownName(config: Schemas['ConfigView'] | undefined, is: (address: string | null) => boolean): string | null {
  if (config === undefined) return null
  const { contracts, sending } = config
  if (is(contracts.vault)) return 'Vault'
  if (is(contracts.redemptionManager)) return 'RedemptionManager'
  if (is(contracts.assetController)) return 'AssetController'
  return WALLETS.find((name) => is(sending[name])) ?? null
}
