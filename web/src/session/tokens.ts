/** Requests with the access token, and its renewal with the refresh cookie. */
import { serverNowMs } from '../format/time'
import { beginSession, currentSession, endSession, forgetSession, type Role } from './store'

/** What sign-in and refresh return. */
export interface Issued {
  accessToken: string
  expiresAt: string
  sessionId: string
  user: { address: string; role: Role; name: string }
}

const SIGNED_IN = 'paimon.signed-in'
const RENEW_BEFORE_MS = 30_000
const UNAUTHORIZED = 401

let renewing: Promise<boolean> | null = null

export function acceptTokens({ accessToken, expiresAt, sessionId, user }: Issued): void {
  markSignedIn(true)
  beginSession({ token: accessToken, expiresAt, sessionId, ...user })
}

/** Go on with the session of an earlier page, if there is one. */
export async function restoreSession(): Promise<void> {
  if (wasSignedIn()) await renew()
}

export async function signOut(): Promise<void> {
  markSignedIn(false)
  const ended = currentSession().expired ? Promise.resolve() : authorizedFetch(new Request('/api/v1/auth/logout', { method: 'POST' }))
  await ended.catch(() => undefined) // the session then ends when it is not used
  forgetSession()
}

/** Send a request as the signed-in person. An access token that has expired is renewed once, and the request sent again. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const { user, expired } = currentSession()
  if (user === null || expired) return fetch(request)
  if (Date.parse(user.expiresAt) - serverNowMs() < RENEW_BEFORE_MS) await renew()
  const again = request.clone()
  const response = await fetch(withToken(request))
  if (response.status !== UNAUTHORIZED) return response
  return (await renew()) ? fetch(withToken(again)) : response
}

function withToken(request: Request): Request {
  const { user } = currentSession()
  if (user !== null) request.headers.set('Authorization', `Bearer ${user.token}`)
  return request
}

/** Renew the tokens; requests at the same time share one renewal. Returns whether there is a session. */
function renew(): Promise<boolean> {
  renewing ??= requestTokens().finally(() => (renewing = null))
  return renewing
}

async function requestTokens(): Promise<boolean> {
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch('/api/v1/auth/refresh', { method: 'POST', headers, body: '{}' })
  if (response.ok) {
    acceptTokens(((await response.json()) as { data: Issued }).data)
    return true
  }
  if (response.status === UNAUTHORIZED || response.status === 403) {
    markSignedIn(false)
    endSession()
  }
  return false
}

function wasSignedIn(): boolean {
  try {
    return window.localStorage.getItem(SIGNED_IN) !== null
  } catch {
    return true // storage is forbidden: the cookie may be there all the same
  }
}

function markSignedIn(signedIn: boolean): void {
  try {
    if (signedIn) window.localStorage.setItem(SIGNED_IN, 'yes')
    else window.localStorage.removeItem(SIGNED_IN)
  } catch {
    // only saves a request at the next start
  }
}
