/** One message: what it said, what became of it, and the risk events that it tells of. */
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { notificationQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { Facts, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Status, Time } from '../ui/values'
import { ReplayButton } from './NotificationsPage'

const route = getRouteApi('/administration/notifications/$notificationId')

export function NotificationPage() {
  const { t } = useI18n()
  const { notificationId } = route.useParams()
  const right = useRight('handle_risk')
  const message = useQuery(notificationQuery(notificationId))
  return (
    <Page title={t('notifications.one', { id: notificationId })} aside={message.data ? <Status of={message.data.status} /> : null}>
      <Loaded query={message}>
        {(data) => (
          <>
            <Panel title={data.title}>
              <pre className={ui.document}>{data.body}</pre>
              {data.eventIds.length === 0 ? null : (
                <p>
                  <Link to="/risk">{t('notifications.events', { events: data.eventIds.map((id) => `#${id}`).join(', ') })}</Link>
                </p>
              )}
            </Panel>
            <Panel title={t('notifications.delivery')}>
              <Facts
                of={[
                  [t('notifications.channel'), data.channel],
                  [t('notifications.occasion'), t(`occasion.${data.occasion}` as Key) || data.occasion],
                  [t('risk.severity'), <Status key="s" of={data.severity} />],
                  [t('notifications.made'), <Time key="m" at={data.createdAt} />],
                  [t('notifications.attempts'), data.attempts],
                  data.sentAt === null ? [t('notifications.due'), <Time key="d" at={data.dueAt} />] : [t('notifications.sent'), <Time key="n" at={data.sentAt} />],
                  data.endedAt === null ? null : [t('notifications.ended'), <Time key="e" at={data.endedAt} />],
                  data.receipt === null ? null : [t('notifications.receipt'), data.receipt],
                  data.lastError === null ? null : [t('notifications.lastError'), data.lastError],
                  [t('notifications.key'), <span key="k" className={ui.mono}>{data.key}</span>],
                ]}
              />
              {data.status !== 'FAILED' ? null : right.isAllowed ? <ReplayButton id={data.id} /> : <WhyNot right={right} />}
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  )
}
