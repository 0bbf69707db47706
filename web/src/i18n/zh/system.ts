import type { system as en } from '../en/system'

export const system: Record<keyof typeof en, string> = {
  'system.components': '组件',
  'system.component': '组件',
  'system.summary': '状态说明',
  'quarantine.title': '隔离区',
  'quarantine.none': '没有被隔离的日志。',
  'quarantine.event': '事件',
  'quarantine.reason': '原因',
  'queue.title': '队列',
  'queue.none': '没有符合的消息。',
  'queue.message': '消息',
  'queue.priority': '优先级',
  'queue.attempts': '尝试次数',
  'queue.lastError': '最近错误',
}
