import { useQueryClient, type QueryClient } from '@tanstack/react-query'
import { createContext, use, useEffect, useRef, useState, type ReactNode } from 'react'
import { ownRightsQuery } from '../api/queries'
import { currentSession, useSession } from '../session/store'
import { LiveSocket, type Channel, type LiveState } from './socket'

const Context = createContext<LiveState>('off')

/** What a message makes out of date, by the first part of query keys. */
const AFFECTS: Record<Channel, readonly string[]> = {
  'fund:overview': ['layers', 'assets', 'fees', 'prices', 'liquidity'],
  'fund:nav': ['nav'],
  'fund:pending-logs': ['pendingEvents', 'redemptions', 'chainTransactions'],
  'redemption:new': ['redemptions', 'approvals', 'liquidity'],
  'redemption:settled': ['redemptions', 'approvals', 'intents', 'liquidity'],
  'approval:new': ['approvals', 'redemptions'],
  'approval:resolved': ['approvals', 'redemptions', 'intents', 'liquidity'],
  'risk:alert': ['risk', 'notifications'],
  'risk:emergency': ['emergencies', 'risk', 'plans', 'multisig'],
  'rebalance:executed': ['rebalance', 'plans', 'multisig', 'layers', 'assets', 'liquidity'],
}

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { user, expired } = useSession()
  const [state, setState] = useState<LiveState>('off')
  const open = useRef<LiveSocket | null>(null)
  const token = user?.token
  const sessionId = expired ? undefined : user?.sessionId
  useEffect(() => {
    if (sessionId === undefined) return undefined
    const url = new URL('/api/v1/ws', window.location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = new LiveSocket(url.href, currentSession().user?.token ?? '', {
      onState: (next) => {
        setState(next)
        // Whether only the messages are away, or the API too, is asked at once.
        if (next === 'reconnecting') void client.invalidateQueries({ queryKey: ownRightsQuery.queryKey })
      },
      onMessage: (channel, data) => apply(client, channel, data),
      onResync: () => void client.invalidateQueries(),
    })
    open.current = socket
    socket.open()
    return () => {
      socket.close()
      open.current = null
      setState('off')
    }
  }, [client, sessionId])
  useEffect(() => {
    if (token !== undefined) open.current?.renew(token)
  }, [token])
  return <Context value={state}>{children}</Context>
}

function apply(client: QueryClient, channel: Channel, data: unknown): void {
  if (channel === 'fund:overview') client.setQueryData(['overview'], data)
  for (const key of AFFECTS[channel]) void client.invalidateQueries({ queryKey: [key] })
}

export function useLiveState(): LiveState {
  return use(Context)
}
