import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import type { RedemptionChannel, RedemptionStatus, TicketStatus } from '../api/queries'
import { NotFound } from './NotFound'
import { dayOf, oneOf, pageOf, present, textOf } from './search'
import { Shell } from './Shell'

const REDEMPTION_STATUSES: readonly RedemptionStatus[] = ['PENDING', 'PENDING_APPROVAL', 'APPROVED', 'SETTLED', 'CANCELLED', 'REJECTED']
const CHANNELS: readonly RedemptionChannel[] = ['STANDARD', 'EMERGENCY', 'SCHEDULED']
const TICKET_STATUSES: readonly TicketStatus[] = ['PENDING', 'PARTIALLY_APPROVED', 'APPROVED', 'REJECTED', 'CANCELLED']

type Search = Record<string, unknown>

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound })

const overview = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: lazyRouteComponent(() => import('../overview/OverviewPage'), 'OverviewPage'),
})

const redemptions = createRoute({
  getParentRoute: () => root,
  path: '/redemptions',
  validateSearch: (search: Search) =>
    present({
      status: oneOf(REDEMPTION_STATUSES, search.status),
      channel: oneOf(CHANNELS, search.channel),
      owner: textOf(search.owner),
      startDate: dayOf(search.startDate),
      endDate: dayOf(search.endDate),
      page: pageOf(search.page),
    }),
  component: lazyRouteComponent(() => import('../redemptions/RedemptionsPage'), 'RedemptionsPage'),
})

const redemption = createRoute({
  getParentRoute: () => root,
  path: '/redemptions/$requestId',
  component: lazyRouteComponent(() => import('../redemptions/RedemptionPage'), 'RedemptionPage'),
})

const approvals = createRoute({
  getParentRoute: () => root,
  path: '/approvals',
  validateSearch: (search: Search) => present({ status: oneOf(TICKET_STATUSES, search.status), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../approvals/ApprovalsPage'), 'ApprovalsPage'),
})

const ticket = createRoute({
  getParentRoute: () => root,
  path: '/approvals/$ticketId',
  component: lazyRouteComponent(() => import('../approvals/TicketPage'), 'TicketPage'),
})

const intent = createRoute({
  getParentRoute: () => root,
  path: '/transactions/intents/$intentId',
  component: lazyRouteComponent(() => import('../transactions/IntentPage'), 'IntentPage'),
})

export const router = createRouter({
  routeTree: root.addChildren([overview, redemptions, redemption, approvals, ticket, intent]),
  basepath: '/console',
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
