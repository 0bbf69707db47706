import type { redemptions as en } from '../en/redemptions'

export const redemptions: Record<keyof typeof en, string> = {
  'redemption.none': '没有符合的请求。',
  'redemption.title': '赎回 {request}',
  'redemption.request': '请求',
  'redemption.settlement': '结算',
  'redemption.timeline': '时间线',
  'redemption.noTimeline': '尚无记录。',
  'redemption.owner': '所有者',
  'redemption.receiver': '收款人',
  'redemption.shares': '份额',
  'redemption.gross': '总额',
  'redemption.lockedNav': '锁定净值',
  'redemption.estimatedFee': '预计费用',
  'redemption.fee': '费用',
  'redemption.paid': '已付',
  'redemption.rejected': '拒绝理由',
  'redemption.quarantined': '与此请求有关的一条日志被隔离：链上状态可能不同。',
  'redemption.closed': '此请求已关闭。',
  'redemption.noDate': '请求获批之前没有结算日期。',
  'redemption.notDue': '尚未到期。到期后系统会自动结算。',
  'redemption.settling': '结算正在进行。',
}
