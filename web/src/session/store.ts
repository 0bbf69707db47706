/**
 * Who is signed in. The access token lives in this page's memory only. The refresh token is a cookie that no script can read; with it
 * a reload, another tab, and an expired access token get the next one.
 */
import { useSyncExternalStore } from 'react'

export type Role = 'viewer' | 'operator' | 'admin' | 'super_admin'

export interface SignedIn {
  token: string
  expiresAt: string
  sessionId: string
  address: string
  role: Role
  name: string
}

export interface Session {
  user: SignedIn | null
  /** The session has ended. The page stays, and the person signs in again over it. */
  expired: boolean
}

const listeners = new Set<() => void>()
let session: Session = { user: null, expired: false }

function change(next: Session): void {
  session = next
  listeners.forEach((listener) => listener())
}

export function currentSession(): Session {
  return session
}

export function beginSession(user: SignedIn): void {
  change({ user, expired: false })
}

/** Mark the session as ended by the API. */
export function endSession(): void {
  if (session.user !== null && !session.expired) change({ ...session, expired: true })
}

export function forgetSession(): void {
  change({ user: null, expired: false })
}

export function useSession(): Session {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    currentSession,
  )
}

export function useUser(): SignedIn {
  const { user } = useSession()
  if (user === null) throw new Error('useUser is used before sign-in')
  return user
}
