/** Live messages over the API's WebSocket: one connection, which reconnects and says when it is not live. */
import { learnServerTime } from '../format/time'

export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'off'

export const CHANNELS = [
  'fund:overview',
  'fund:nav',
  'fund:pending-logs',
  'redemption:new',
  'redemption:settled',
  'approval:new',
  'approval:resolved',
  'risk:alert',
  'risk:emergency',
  'rebalance:executed',
] as const
export type Channel = (typeof CHANNELS)[number]

export interface LiveEvents {
  onState: (state: LiveState) => void
  onMessage: (channel: Channel, data: unknown) => void
  /** Messages may be lost: what is shown has to be read again. */
  onResync: () => void
}

interface Frame {
  type: string
  channel?: Channel
  data?: unknown
  timestamp?: string
}

const PING_MS = 15_000
const SILENCE_MAX_MS = 25_000
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000] as const
const AUTH_ENDED = 4401

export class LiveSocket {
  private socket: WebSocket | null = null
  private attempts = 0
  private wasLive = false
  private subscribed = false
  private lastFrameAt = 0
  private retryTimer: ReturnType<typeof setTimeout> | undefined
  private pingTimer: ReturnType<typeof setInterval> | undefined

  constructor(
    private readonly url: string,
    private token: string,
    private readonly events: LiveEvents,
  ) {}

  open(): void {
    this.events.onState(this.wasLive ? 'reconnecting' : 'connecting')
    this.subscribed = false
    const socket = new WebSocket(this.url)
    this.socket = socket
    socket.onopen = () => this.send({ type: 'auth', token: this.token })
    socket.onmessage = (event) => this.receive(JSON.parse(String(event.data)) as Frame)
    socket.onclose = (event) => this.closed(event.code)
    this.lastFrameAt = Date.now()
    clearInterval(this.pingTimer)
    this.pingTimer = setInterval(() => this.checkPulse(), PING_MS)
  }

  /** Go on with a newer access token: the API ends a connection whose token has expired. */
  renew(token: string): void {
    if (token === this.token) return
    this.token = token
    this.send({ type: 'auth', token })
  }

  close(): void {
    clearTimeout(this.retryTimer)
    clearInterval(this.pingTimer)
    if (this.socket !== null) {
      this.socket.onclose = null
      this.socket.onmessage = null
      this.socket.close()
      this.socket = null
    }
  }

  private send(frame: unknown): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame))
  }

  private receive(frame: Frame): void {
    this.lastFrameAt = Date.now()
    if (frame.timestamp) learnServerTime(frame.timestamp, this.lastFrameAt)
    if (frame.type === 'authenticated') this.subscribe()
    else if (frame.type === 'subscribed') this.becomeLive()
    else if (frame.type === 'resync') this.events.onResync()
    else if (frame.type === 'message' && frame.channel) this.events.onMessage(frame.channel, frame.data)
  }

  /** A newer token is answered too: the channels are subscribed already. */
  private subscribe(): void {
    if (!this.subscribed) this.send({ type: 'subscribe', channels: CHANNELS })
    this.subscribed = true
  }

  private becomeLive(): void {
    const missed = this.wasLive || this.attempts > 0
    this.attempts = 0
    this.wasLive = true
    this.events.onState('live')
    if (missed) this.events.onResync()
  }

  private checkPulse(): void {
    if (Date.now() - this.lastFrameAt > SILENCE_MAX_MS) this.socket?.close()
    else this.send({ type: 'ping' })
  }

  private closed(code: number): void {
    clearInterval(this.pingTimer)
    this.socket = null
    if (code === AUTH_ENDED) {
      this.events.onState('off')
      this.events.onResync() // the next request is answered with 401, and the person signs in again
      return
    }
    this.events.onState('reconnecting')
    const wait = RETRY_MS[Math.min(this.attempts, RETRY_MS.length - 1)] ?? 8_000
    this.attempts += 1
    this.retryTimer = setTimeout(() => this.open(), wait)
  }
}
