/** The values that filters offer and that links may name, in the API's own words. */
import type { Schemas } from './client'

export const REDEMPTION_STATUSES: readonly Schemas['RedemptionStatus'][] = ['PENDING', 'PENDING_APPROVAL', 'APPROVED', 'SETTLED', 'CANCELLED', 'REJECTED']
export const CHANNELS: readonly Schemas['RedemptionChannel'][] = ['STANDARD', 'EMERGENCY', 'SCHEDULED']
export const TICKET_STATUSES: readonly Schemas['TicketStatus'][] = ['PENDING', 'PARTIALLY_APPROVED', 'APPROVED', 'REJECTED', 'CANCELLED', 'EXPIRED', 'VOID']
export const TICKET_TYPES: readonly Schemas['TicketType'][] = ['EMERGENCY_REDEMPTION', 'STANDARD_REDEMPTION', 'REBALANCE_SMALL', 'REBALANCE_LARGE', 'ASSET_ADD', 'ASSET_REMOVE', 'FEE_WITHDRAW', 'EMERGENCY_MODE', 'MANUAL_OPERATION']
export const INTERVALS: readonly Schemas['Interval'][] = ['hourly', 'daily', 'weekly']
export const RISK_STATUSES: readonly Schemas['RiskStatus'][] = ['OPEN', 'ACKNOWLEDGED', 'RESOLVED']
export const REPORT_KINDS: readonly Schemas['ReportKind'][] = ['daily', 'weekly', 'monthly']
export const REPORT_STATUSES: readonly Schemas['ReportStatus'][] = ['DRAFT', 'FINAL']
export const MESSAGE_STATUSES: readonly Schemas['MessageStatus'][] = ['QUEUED', 'SENDING', 'SENT', 'FAILED']
export const HORIZONS: readonly Schemas['Horizon'][] = ['1d', '7d', '30d']
export const REBALANCE_TRIGGERS: readonly Schemas['Trigger'][] = ['liquidity', 'threshold', 'event', 'scheduled', 'manual']
export const REBALANCE_STATUSES: readonly Schemas['RebalanceStatus'][] = ['PROPOSED', 'SUBMITTED', 'EXECUTED', 'PARTIALLY_EXECUTED', 'NOT_EXECUTED', 'SUPERSEDED', 'REFUSED', 'NOTHING_TO_DO']
export const OUTBOX_STATUSES: readonly Schemas['OutboxStatus'][] = ['DUE', 'SCHEDULED', 'DEAD_LETTERED', 'DONE']
