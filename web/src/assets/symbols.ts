import { useQuery } from '@tanstack/react-query'
import { assetsQuery } from '../api/queries'
import { shortHex } from '../format/addresses'

/** The symbols of the fund's assets by address; an address without one is shortened. */
export function useSymbolOf(): (token: string) => string {
  const assets = useQuery(assetsQuery)
  return (token) => assets.data?.items.find((asset) => asset.token === token)?.symbol ?? shortHex(token)
}
