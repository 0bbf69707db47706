/** Where risk events are told: channels, routes, what was sent with its receipt, and one's own preferences. */
import { Button, NativeSelect } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { api, read, type Schemas } from '../api/client'
import { channelsQuery, notificationsQuery } from '../api/queries'
import { MESSAGE_STATUSES } from '../api/values'
import { useI18n, type Key } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Loaded, Page, Pager, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time } from '../ui/values'
import { Preferences } from './Preferences'

type ChannelView = Schemas['ChannelView']

const route = getRouteApi('/administration/notifications')

export function NotificationsPage() {
  const { t } = useI18n()
  return (
    <Page title={t('notifications.title')}>
      <Channels />
      <Messages />
      <Preferences />
    </Page>
  )
}

function Channels() {
  const { t } = useI18n()
  const right = useRight('handle_risk')
  const channels = useQuery(channelsQuery)
  return (
    <Panel title={t('notifications.channels')}>
      <Loaded query={channels}>
        {({ channels: found, routes }) =>
          found.length === 0 ? (
            <Empty>{t('notifications.noChannels')}</Empty>
          ) : (
            <>
              <DataTable
                label={t('notifications.channels')}
                rows={found}
                rowKey={({ name }) => name}
                empty=""
                columns={[
                  { name: 'name', head: t('notifications.channel'), cell: ({ name, kind }) => `${name} (${kind})` },
                  { name: 'person', head: t('notifications.person'), cell: ({ person }) => (person === null ? t('notifications.shared') : <Address of={person} />) },
                  { name: 'language', head: t('notifications.language'), cell: ({ language }) => t(`notifications.language.${language}` as Key) },
                  { name: 'waiting', head: t('notifications.waiting'), right: true, cell: ({ waiting }) => waiting },
                  { name: 'failed', head: t('notifications.failed'), right: true, cell: ({ failed }) => failed },
                  { name: 'sent', head: t('notifications.lastSent'), cell: ({ lastSentAt }) => (lastSentAt === null ? '–' : <Time at={lastSentAt} />) },
                  { name: 'fallback', head: t('notifications.fallback'), cell: ({ fallback }) => fallback ?? '–' },
                  { name: 'test', head: t('actions.title'), cell: (channel) => (right.isAllowed ? <TestButton channel={channel} /> : null) },
                ]}
              />
              <WhyNot right={right} />
              <Routes routes={routes} />
            </>
          )
        }
      </Loaded>
      <p className={ui.note}>{t('notifications.fromFile')}</p>
    </Panel>
  )
}

function TestButton({ channel: { name } }: { channel: ChannelView }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const test = useMutation({
    mutationFn: () => read(api.POST('/api/v1/notifications/channels/{channel}/test', { params: { path: { channel: name } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['notifications'] }),
  })
  return (
    <>
      <Button size="xs" variant="default" loading={test.isPending} onClick={() => test.mutate()}>
        {t('notifications.test')}
      </Button>
      {test.error ? <ProblemNotice error={test.error} /> : null}
    </>
  )
}

function Routes({ routes }: { routes: readonly Schemas['RouteView'][] }) {
  const { t } = useI18n()
  return (
    <>
      <h3 className={ui.subtitle}>{t('notifications.routes')}</h3>
      <DataTable
        label={t('notifications.routes')}
        rows={routes}
        rowKey={(row) => `${routes.indexOf(row)}`}
        empty={t('notifications.noRoutes')}
        columns={[
          { name: 'severities', head: t('risk.severity'), cell: ({ severities }) => severities.map((severity) => <Status key={severity} of={severity} />) },
          { name: 'kinds', head: t('risk.kind'), cell: ({ kinds }) => (kinds.length === 0 ? t('notifications.everyKind') : kinds.join(', ')) },
          { name: 'channels', head: t('notifications.to'), cell: ({ channels, digest }) => <>{channels.join(', ')} {digest ? t('notifications.digest') : null}</> },
          {
            name: 'escalations',
            head: t('notifications.escalations'),
            cell: ({ escalations }) => escalations.map(({ afterMinutes, channels }) => t('notifications.escalation', { minutes: afterMinutes, channels: channels.join(', ') })).join('; ') || '–',
          },
        ]}
      />
    </>
  )
}

function Messages() {
  const { t } = useI18n()
  const { page = 1, ...filter } = route.useSearch()
  const navigate = route.useNavigate()
  const right = useRight('handle_risk')
  const messages = useQuery(notificationsQuery(filter, page))
  const channels = useQuery(channelsQuery).data?.channels ?? []
  const set = (change: typeof filter) => void navigate({ search: { ...filter, ...change } })
  return (
    <Panel
      title={t('notifications.messages')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('notifications.channel')}
            value={filter.channel ?? ''}
            onChange={(event) => set({ channel: event.currentTarget.value || undefined })}
            data={[{ value: '', label: t('notifications.allChannels') }, ...channels.map(({ name }) => name)]}
          />
          <NativeSelect
            size="xs"
            aria-label={t('column.status')}
            value={filter.status ?? ''}
            onChange={(event) => set({ status: MESSAGE_STATUSES.find((status) => status === event.currentTarget.value) })}
            data={[{ value: '', label: t('filter.allStatuses') }, ...MESSAGE_STATUSES.map((value) => ({ value, label: t(`status.${value}` as Key) }))]}
          />
          <CsvButton path="/api/v1/notifications" query={filter} />
        </>
      }
    >
      <Loaded query={messages}>
        {({ items, pagination }) => (
          <>
            <DataTable
              label={t('notifications.messages')}
              rows={items}
              rowKey={({ id }) => `${id}`}
              empty={t('notifications.noMessages')}
              columns={[
                { name: 'made', head: t('notifications.made'), cell: ({ createdAt }) => <Time at={createdAt} /> },
                {
                  name: 'title',
                  head: t('notifications.message'),
                  wide: true,
                  cell: ({ id, title }) => (
                    <Link to="/administration/notifications/$notificationId" params={{ notificationId: `${id}` }}>
                      {title}
                    </Link>
                  ),
                },
                { name: 'channel', head: t('notifications.channel'), cell: ({ channel }) => channel },
                { name: 'occasion', head: t('notifications.occasion'), cell: ({ occasion }) => t(`occasion.${occasion}` as Key) || occasion },
                { name: 'severity', head: t('risk.severity'), cell: ({ severity }) => <Status of={severity} /> },
                { name: 'status', head: t('column.status'), cell: ({ status, lastError }) => <><Status of={status} /> {status === 'SENT' ? null : lastError}</> },
                { name: 'actions', head: t('actions.title'), cell: (message) => (right.isAllowed && message.status === 'FAILED' ? <ReplayButton id={message.id} /> : null) },
              ]}
            />
            <Pager page={page} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { ...filter, page: next } })} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

export function ReplayButton({ id }: { id: number }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const replay = useMutation({
    mutationFn: () => read(api.POST('/api/v1/notifications/{notificationId}/replay', { params: { path: { notificationId: id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['notifications'] }),
  })
  return (
    <>
      <Button size="xs" variant="default" loading={replay.isPending} onClick={() => replay.mutate()}>
        {t('notifications.sendAgain')}
      </Button>
      {replay.error ? <ProblemNotice error={replay.error} /> : null}
    </>
  )
}
