import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import {
  CHANNELS,
  HORIZONS,
  INTERVALS,
  MESSAGE_STATUSES,
  OUTBOX_STATUSES,
  REBALANCE_STATUSES,
  REBALANCE_TRIGGERS,
  REDEMPTION_STATUSES,
  REPORT_KINDS,
  REPORT_STATUSES,
  RISK_STATUSES,
  TICKET_STATUSES,
  TICKET_TYPES,
} from '../api/values'
import { NotFound } from './NotFound'
import { PageFailed } from './PageFailed'
import { dayOf, flagOf, oneOf, pageOf, present, textOf, wholeOf } from './search'
import { Shell } from './Shell'


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
  validateSearch: (search: Search) => present({ status: oneOf(TICKET_STATUSES, search.status), type: oneOf(TICKET_TYPES, search.type), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../approvals/ApprovalsPage'), 'ApprovalsPage'),
})

const ticket = createRoute({
  getParentRoute: () => root,
  path: '/approvals/$ticketId',
  component: lazyRouteComponent(() => import('../approvals/TicketPage'), 'TicketPage'),
})

const nav = createRoute({
  getParentRoute: () => root,
  path: '/nav',
  validateSearch: (search: Search) =>
    present({ interval: oneOf(INTERVALS, search.interval), startDate: dayOf(search.startDate), endDate: dayOf(search.endDate) }),
  component: lazyRouteComponent(() => import('../nav/NavPage'), 'NavPage'),
})

const assets = createRoute({
  getParentRoute: () => root,
  path: '/assets',
  validateSearch: (search: Search) => present({ page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../assets/AssetsPage'), 'AssetsPage'),
})

const asset = createRoute({
  getParentRoute: () => root,
  path: '/assets/$token',
  validateSearch: (search: Search) => present({ page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../assets/AssetPage'), 'AssetPage'),
})

const rebalancing = createRoute({
  getParentRoute: () => root,
  path: '/rebalancing',
  validateSearch: (search: Search) =>
    present({ trigger: oneOf(REBALANCE_TRIGGERS, search.trigger), status: oneOf(REBALANCE_STATUSES, search.status), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../rebalancing/RebalancingPage'), 'RebalancingPage'),
})

const liquidity = createRoute({
  getParentRoute: () => root,
  path: '/liquidity',
  validateSearch: (search: Search) =>
    present({
      horizon: oneOf(HORIZONS, search.horizon),
      run: wholeOf(search.run, 0, 10_000),
      days: wholeOf(search.days, 1, 60),
      l1: wholeOf(search.l1, 0, 10_000),
      l2: wholeOf(search.l2, 0, 10_000),
      l3: wholeOf(search.l3, 0, 10_000),
      frozen: flagOf(search.frozen),
      leaving: wholeOf(search.leaving, 0, 1_000),
    }),
  component: lazyRouteComponent(() => import('../liquidity/LiquidityPage'), 'LiquidityPage'),
})

const transactions = createRoute({
  getParentRoute: () => root,
  path: '/transactions',
  validateSearch: (search: Search) => present({ open: flagOf(search.open), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../transactions/TransactionsPage'), 'TransactionsPage'),
})

const wallet = createRoute({
  getParentRoute: () => root,
  path: '/transactions/wallets/$address',
  component: lazyRouteComponent(() => import('../transactions/WalletPage'), 'WalletPage'),
})

const plan = createRoute({
  getParentRoute: () => root,
  path: '/transactions/plans/$planId',
  component: lazyRouteComponent(() => import('../transactions/PlanPage'), 'PlanPage'),
})

const proposal = createRoute({
  getParentRoute: () => root,
  path: '/transactions/proposals/$safeTxHash',
  component: lazyRouteComponent(() => import('../transactions/ProposalPage'), 'ProposalPage'),
})

const system = createRoute({
  getParentRoute: () => root,
  path: '/system',
  validateSearch: (search: Search) =>
    present({ outbox: oneOf(OUTBOX_STATUSES, search.outbox), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../system/SystemPage'), 'SystemPage'),
})

const risk = createRoute({
  getParentRoute: () => root,
  path: '/risk',
  validateSearch: (search: Search) => present({ risk: oneOf(RISK_STATUSES, search.risk) }),
  component: lazyRouteComponent(() => import('../risk/RiskPage'), 'RiskPage'),
})

const emergency = createRoute({
  getParentRoute: () => root,
  path: '/risk/emergencies/$emergencyId',
  component: lazyRouteComponent(() => import('../emergency/EmergencyPage'), 'EmergencyPage'),
})

const administration = createRoute({
  getParentRoute: () => root,
  path: '/administration',
  component: lazyRouteComponent(() => import('../administration/AdministrationPage'), 'AdministrationPage'),
})

const policy = createRoute({
  getParentRoute: () => root,
  path: '/administration/policy',
  component: lazyRouteComponent(() => import('../policy/PolicyPage'), 'PolicyPage'),
})

const notifications = createRoute({
  getParentRoute: () => root,
  path: '/administration/notifications',
  validateSearch: (search: Search) =>
    present({ channel: textOf(search.channel), status: oneOf(MESSAGE_STATUSES, search.status), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../notifications/NotificationsPage'), 'NotificationsPage'),
})

const notification = createRoute({
  getParentRoute: () => root,
  path: '/administration/notifications/$notificationId',
  component: lazyRouteComponent(() => import('../notifications/NotificationPage'), 'NotificationPage'),
})

const reports = createRoute({
  getParentRoute: () => root,
  path: '/reports',
  validateSearch: (search: Search) =>
    present({ kind: oneOf(REPORT_KINDS, search.kind), status: oneOf(REPORT_STATUSES, search.status), page: pageOf(search.page) }),
  component: lazyRouteComponent(() => import('../reports/ReportsPage'), 'ReportsPage'),
})

const report = createRoute({
  getParentRoute: () => root,
  path: '/reports/$kind/$day',
  validateSearch: (search: Search) => present({ version: wholeOf(search.version, 1, 2_147_483_647) }),
  component: lazyRouteComponent(() => import('../reports/ReportPage'), 'ReportPage'),
})

const intent = createRoute({
  getParentRoute: () => root,
  path: '/transactions/intents/$intentId',
  component: lazyRouteComponent(() => import('../transactions/IntentPage'), 'IntentPage'),
})

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    redemptions,
    redemption,
    approvals,
    ticket,
    rebalancing,
    liquidity,
    risk,
    emergency,
    nav,
    assets,
    asset,
    transactions,
    intent,
    wallet,
    plan,
    proposal,
    system,
    administration,
    policy,
    notifications,
    notification,
    reports,
    report,
  ]),
  basepath: '/console',
  defaultPreload: 'intent',
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
