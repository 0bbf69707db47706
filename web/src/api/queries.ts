/** What the console reads, by query key. A live message names the first part of a key (live/LiveProvider). */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { findReport } from '../reports/files'
import { api, read, type Schemas } from './client'

export const PAGE_SIZE = 20
/** Where something is on its way to the chain, there is no live message for every step: it is read this often. */
export const FOLLOW_MS = 2_000
const REFRESH_MS = 15_000
/** A right that is lost is no longer offered. */
const RIGHTS_MS = 5_000

export type RedemptionStatus = Schemas['RedemptionStatus']
export type RedemptionChannel = Schemas['RedemptionChannel']
export type TicketStatus = Schemas['TicketStatus']
export type TicketType = Schemas['TicketType']

export const overviewQuery = queryOptions({
  queryKey: ['overview'],
  queryFn: () => read(api.GET('/api/v1/fund/overview')),
  refetchInterval: 60_000,
})

export const layersQuery = queryOptions({
  queryKey: ['layers'],
  queryFn: () => read(api.GET('/api/v1/fund/liquidity/layers')),
  refetchInterval: 60_000,
})

export const feesQuery = queryOptions({ queryKey: ['fees'], queryFn: () => read(api.GET('/api/v1/fund/fees')) })

export const assetsQuery = queryOptions({
  queryKey: ['assets'],
  queryFn: () => read(api.GET('/api/v1/fund/assets', { params: { query: { pageSize: 100 } } })),
})

export const pricesQuery = queryOptions({
  queryKey: ['prices', 'list'],
  queryFn: () => read(api.GET('/api/v1/prices')),
  refetchInterval: REFRESH_MS,
})

export const observationsQuery = (token: string, page: number) =>
  queryOptions({
    queryKey: ['prices', 'observations', token, page],
    queryFn: () =>
      read(api.GET('/api/v1/prices/{token}/observations', { params: { path: { token }, query: { page, pageSize: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const holdersQuery = (page: number) =>
  queryOptions({
    queryKey: ['holders', page],
    queryFn: () => read(api.GET('/api/v1/fund/holders', { params: { query: { page, pageSize: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
  })

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: () => read(api.GET('/api/v1/system/health')),
  refetchInterval: 5_000,
})

export const configQuery = queryOptions({
  queryKey: ['config'],
  queryFn: () => read(api.GET('/api/v1/system/config')),
  staleTime: Infinity,
})

export const readinessQuery = queryOptions({
  queryKey: ['approvals', 'readiness'],
  queryFn: () => read(api.GET('/api/v1/approvals/readiness')),
  refetchInterval: 60_000,
})

export const policyQuery = queryOptions({
  queryKey: ['policy'],
  queryFn: () => read(api.GET('/api/v1/policy')),
})

export const policyVersionsQuery = queryOptions({
  queryKey: ['policy', 'versions'],
  queryFn: () => read(api.GET('/api/v1/policy/versions')),
})

export const policyDraftsQuery = queryOptions({
  queryKey: ['policy', 'drafts'],
  queryFn: () => read(api.GET('/api/v1/policy/drafts')),
})

export type NavInterval = Schemas['Interval']

export const navHistoryQuery = (range: { interval: NavInterval; startDate: string; endDate?: string | undefined }) =>
  queryOptions({
    queryKey: ['nav', 'history', range],
    queryFn: () => read(api.GET('/api/v1/fund/nav/history', { params: { query: defined(range) } })),
    placeholderData: keepPreviousData,
  })

export const navExplainQuery = (range: { startDate: string; endDate?: string | undefined }) =>
  queryOptions({
    queryKey: ['nav', 'explain', range],
    queryFn: () => read(api.GET('/api/v1/fund/nav/explain', { params: { query: defined(range) } })),
    placeholderData: keepPreviousData,
  })

export interface RedemptionFilter {
  status?: RedemptionStatus | undefined
  channel?: RedemptionChannel | undefined
  owner?: string | undefined
  startDate?: string | undefined
  endDate?: string | undefined
  page: number
  pageSize?: number
}

export const redemptionsQuery = (filter: RedemptionFilter) =>
  queryOptions({
    queryKey: ['redemptions', 'list', filter],
    queryFn: () =>
      read(api.GET('/api/v1/redemptions', { params: { query: defined({ pageSize: PAGE_SIZE, ...filter }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

/** A redemption that is approved but not paid, or whose transaction is on its way, changes soon. */
export const redemptionQuery = (requestId: string) =>
  queryOptions({
    queryKey: ['redemptions', 'detail', requestId],
    queryFn: () => read(api.GET('/api/v1/redemptions/{requestId}', { params: { path: { requestId } } })),
    refetchInterval: ({ state }) => (state.data && state.data.closedAt === null ? FOLLOW_MS : REFRESH_MS),
  })

export const ticketsQuery = (status: TicketStatus | undefined, type: TicketType | undefined, page: number) =>
  queryOptions({
    queryKey: ['approvals', 'list', status, type, page],
    queryFn: () =>
      read(api.GET('/api/v1/approvals', { params: { query: defined({ status, type, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const inboxQuery = queryOptions({
  queryKey: ['approvals', 'inbox'],
  queryFn: () => read(api.GET('/api/v1/redemptions/pending-approvals', { params: { query: { pageSize: 100 } } })),
  refetchInterval: REFRESH_MS,
})

export const ticketQuery = (ticketId: string) =>
  queryOptions({
    queryKey: ['approvals', 'detail', ticketId],
    queryFn: () => read(api.GET('/api/v1/approvals/{ticketId}', { params: { path: { ticketId } } })),
    refetchInterval: ({ state }) => (state.data && state.data.closedAt === null ? FOLLOW_MS : REFRESH_MS),
  })

export const slaQuery = queryOptions({
  queryKey: ['approvals', 'sla'],
  queryFn: () => read(api.GET('/api/v1/approvals/sla-report')),
  refetchInterval: REFRESH_MS,
})

export const intentsQuery = (open: boolean | undefined, page: number) =>
  queryOptions({
    queryKey: ['intents', 'list', open, page],
    queryFn: () =>
      read(api.GET('/api/v1/transactions/intents', { params: { query: defined({ open, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const intentQuery = (intentId: string) =>
  queryOptions({
    queryKey: ['intents', 'detail', intentId],
    queryFn: () => read(api.GET('/api/v1/transactions/intents/{intentId}', { params: { path: { intentId } } })),
    refetchInterval: ({ state }) => (state.data && state.data.closedAt === null ? FOLLOW_MS : REFRESH_MS),
  })

export const walletsQuery = queryOptions({
  queryKey: ['wallets', 'list'],
  queryFn: () => read(api.GET('/api/v1/wallets')),
  refetchInterval: REFRESH_MS,
})

export const walletQuery = (address: string) =>
  queryOptions({
    queryKey: ['wallets', 'detail', address],
    queryFn: () => read(api.GET('/api/v1/wallets/{address}', { params: { path: { address } } })),
    refetchInterval: REFRESH_MS,
  })

export const safesQuery = queryOptions({
  queryKey: ['multisig', 'safes'],
  queryFn: () => read(api.GET('/api/v1/multisig/safes')),
  refetchInterval: REFRESH_MS,
})

export const proposalsQuery = (page: number) =>
  queryOptions({
    queryKey: ['multisig', 'proposals', page],
    queryFn: () => read(api.GET('/api/v1/multisig/proposals', { params: { query: { page, pageSize: PAGE_SIZE } } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const openProposalsQuery = queryOptions({
  queryKey: ['multisig', 'open'],
  queryFn: () => read(api.GET('/api/v1/multisig/proposals', { params: { query: { open: true, pageSize: 100 } } })),
  refetchInterval: REFRESH_MS,
})

export const proposalQuery = (safeTxHash: string) =>
  queryOptions({
    queryKey: ['multisig', 'proposal', safeTxHash],
    queryFn: () => read(api.GET('/api/v1/multisig/proposals/{safeTxHash}', { params: { path: { safeTxHash } } })),
    refetchInterval: ({ state }) => (state.data && state.data.closedAt === null ? FOLLOW_MS : REFRESH_MS),
  })

export const rebalanceStatusQuery = queryOptions({
  queryKey: ['rebalance', 'status'],
  queryFn: () => read(api.GET('/api/v1/rebalance/status')),
  refetchInterval: REFRESH_MS,
})

export interface RebalanceFilter {
  trigger?: Schemas['Trigger'] | undefined
  status?: Schemas['RebalanceStatus'] | undefined
}

export const rebalancesQuery = (filter: RebalanceFilter, page: number) =>
  queryOptions({
    queryKey: ['rebalance', 'history', filter, page],
    queryFn: () => read(api.GET('/api/v1/rebalance/history', { params: { query: defined({ ...filter, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

/** A plan that has not ended is on its way to the chain. */
export const planQuery = (planId: string) =>
  queryOptions({
    queryKey: ['plans', 'detail', planId],
    queryFn: () => read(api.GET('/api/v1/plans/{planId}', { params: { path: { planId } } })),
    refetchInterval: ({ state }) => (state.data?.status === 'IN_PROGRESS' || state.data?.status === 'AWAITING_OWNERS' ? FOLLOW_MS : REFRESH_MS),
  })

export const riskStatusQuery = queryOptions({
  queryKey: ['risk', 'status'],
  queryFn: () => read(api.GET('/api/v1/risk/status')),
  refetchInterval: REFRESH_MS,
})

export const promisesQuery = queryOptions({
  queryKey: ['liquidity', 'promises'],
  queryFn: () => read(api.GET('/api/v1/risk/promises')),
  refetchInterval: 60_000,
})

/** The worker's last forecast. There is none before its first one: that passes by itself. */
export const forecastQuery = (horizon: Schemas['Horizon']) =>
  queryOptions({
    queryKey: ['liquidity', 'forecast', horizon],
    queryFn: () => read(api.GET('/api/v1/risk/liquidity-forecast', { params: { query: { horizon } } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const investorsQuery = queryOptions({
  queryKey: ['liquidity', 'investors'],
  queryFn: () => read(api.GET('/api/v1/risk/investors')),
  refetchInterval: 60_000,
})

/** Run scenarios on the newest snapshot; without any, the standard ones. It is computed anew when the fund changes, not by the clock. */
export const stressQuery = (scenarios: readonly Schemas['ScenarioBody'][]) =>
  queryOptions({
    queryKey: ['liquidity', 'stress', scenarios],
    queryFn: () => read(api.POST('/api/v1/risk/stress-test', { body: { scenarios: [...scenarios] } })),
    placeholderData: keepPreviousData,
  })

export const indicatorHistoryQuery = (name: Schemas['IndicatorName'], startDate: string) =>
  queryOptions({
    queryKey: ['risk', 'history', name, startDate],
    queryFn: () => read(api.GET('/api/v1/risk/indicators/{name}/history', { params: { path: { name }, query: { startDate } } })),
  })

export const riskEventsQuery = (status: Schemas['RiskStatus'] | undefined, page: number) =>
  queryOptions({
    queryKey: ['risk', 'events', status, page],
    queryFn: () =>
      read(api.GET('/api/v1/risk/events', { params: { query: defined({ status, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

/** The newest emergencies and drills; at most one is open. Each screen shows that one. */
export const emergenciesQuery = queryOptions({
  queryKey: ['emergencies', 'list'],
  queryFn: () => read(api.GET('/api/v1/emergencies')),
  refetchInterval: REFRESH_MS,
})

/** An emergency that is under way changes with each signature. */
export const emergencyQuery = (emergencyId: string) =>
  queryOptions({
    queryKey: ['emergencies', 'detail', emergencyId],
    queryFn: () => read(api.GET('/api/v1/emergencies/{emergencyId}', { params: { path: { emergencyId: emergencyId as unknown as number } } })),
    refetchInterval: ({ state }) => (state.data?.endedAt === null ? FOLLOW_MS : REFRESH_MS),
  })

export const quarantineQuery = queryOptions({
  queryKey: ['quarantine', 'list'],
  queryFn: () => read(api.GET('/api/v1/system/quarantine', { params: { query: { pageSize: 100 } } })),
  refetchInterval: REFRESH_MS,
})

export const outboxQuery = (status: Schemas['OutboxStatus'] | undefined, page: number) =>
  queryOptions({
    queryKey: ['outbox', 'list', status, page],
    queryFn: () =>
      read(api.GET('/api/v1/system/outbox', { params: { query: defined({ status, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })

export const reportsQuery = (filter: { kind?: Schemas['ReportKind'] | undefined; status?: Schemas['ReportStatus'] | undefined }, page: number) =>
  queryOptions({
    queryKey: ['reports', 'list', filter, page],
    queryFn: () => read(api.GET('/api/v1/reports', { params: { query: defined({ ...filter, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  })

/** One version of a report; the newest without a version, which another may become. */
export const reportQuery = (kind: string, day: string, version: number | undefined) =>
  queryOptions({
    queryKey: ['reports', 'version', kind, day, version],
    queryFn: () => findReport(kind as Schemas['ReportKind'], day, version),
    refetchInterval: version === undefined ? 60_000 : false,
  })

/** What a version says. A version never changes. */
export const reportDataQuery = ({ kind, firstDay, version }: Schemas['ReportView']) =>
  queryOptions({
    queryKey: ['reports', 'data', kind, firstDay, version],
    queryFn: () => read(api.GET('/api/v1/reports/{kind}', { params: { path: { kind }, query: { date: firstDay, version } } })),
    staleTime: Infinity,
  })

export const channelsQuery = queryOptions({
  queryKey: ['notifications', 'channels'],
  queryFn: () => read(api.GET('/api/v1/notifications/channels')),
  refetchInterval: REFRESH_MS,
})

export const notificationsQuery = (filter: { channel?: string | undefined; status?: Schemas['MessageStatus'] | undefined }, page: number) =>
  queryOptions({
    queryKey: ['notifications', 'list', filter, page],
    queryFn: () => read(api.GET('/api/v1/notifications', { params: { query: defined({ ...filter, page, pageSize: PAGE_SIZE }) } })),
    placeholderData: keepPreviousData,
    // A worker sends what waits within seconds.
    refetchInterval: ({ state }) => (state.data?.items.some(({ status }) => status === 'QUEUED' || status === 'SENDING') ? FOLLOW_MS : REFRESH_MS),
  })

export const notificationQuery = (notificationId: string) =>
  queryOptions({
    queryKey: ['notifications', 'detail', notificationId],
    queryFn: () => read(api.GET('/api/v1/notifications/{notificationId}', { params: { path: { notificationId: notificationId as unknown as number } } })),
    refetchInterval: FOLLOW_MS,
  })

export const preferencesQuery = queryOptions({
  queryKey: ['notifications', 'preferences'],
  queryFn: () => read(api.GET('/api/v1/notifications/preferences')),
})

export const ownRightsQuery = queryOptions({
  queryKey: ['me'],
  queryFn: () => read(api.GET('/api/v1/me')),
  refetchInterval: RIGHTS_MS,
})

export const usersQuery = queryOptions({ queryKey: ['users'], queryFn: () => read(api.GET('/api/v1/users')) })

export const standInsQuery = queryOptions({ queryKey: ['standIns'], queryFn: () => read(api.GET('/api/v1/stand-ins')) })

export const apiKeysQuery = queryOptions({ queryKey: ['apiKeys'], queryFn: () => read(api.GET('/api/v1/api-keys')) })

export const sessionsQuery = queryOptions({ queryKey: ['sessions'], queryFn: () => read(api.GET('/api/v1/auth/sessions')) })

export const challengeQuery = (address: string) =>
  queryOptions({
    queryKey: ['challenge', address],
    queryFn: () => read(api.POST('/api/v1/auth/challenge', { body: { address } })),
    staleTime: 240_000,
    gcTime: 0,
    refetchInterval: 240_000, // a challenge lasts five minutes
  })

/** Leave out what is undefined: the API refuses a parameter without a value. */
function defined<T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== '')) as never
}
