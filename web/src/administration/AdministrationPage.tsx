import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, read, type Schemas } from '../api/client'
import { apiKeysQuery, channelsQuery, configQuery, ownRightsQuery, policyQuery, sessionsQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { RulesTable } from '../policy/PolicyPage'
import { DataTable, Facts, Loaded, Page, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Status, Time } from '../ui/values'
import { People } from './People'
import { StandIns } from './StandIns'

export function AdministrationPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.administration')}>
      <Rights />
      <People />
      <StandIns />
      <ApiKeys />
      <Sessions />
      <Policy />
      <Notifications />
      <Settings />
    </Page>
  )
}

function Rights() {
  const { t } = useI18n()
  const rights = useQuery(ownRightsQuery)
  return (
    <Panel title={t('rights.title')}>
      <Loaded query={rights}>
        {(own) => (
          <DataTable
            label={t('rights.title')}
            rows={own.rights}
            rowKey={({ permission }) => permission}
            empty=""
            columns={[
              { name: 'right', head: t('rights.right'), cell: ({ meaning }) => meaning },
              { name: 'allowed', head: t('rights.allowed'), cell: ({ isAllowed }) => t(isAllowed ? 'ui.yes' : 'ui.no') },
              { name: 'signed', head: t('rights.signed'), cell: ({ isSigned }) => t(isSigned ? 'ui.yes' : 'ui.no') },
              { name: 'missing', head: t('rights.missing'), cell: ({ missing }) => missing.join('; ') },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function ApiKeys() {
  const { t } = useI18n()
  const client = useQueryClient()
  const keys = useQuery(apiKeysQuery)
  const revoke = useMutation({
    mutationFn: (keyId: string) => read(api.DELETE('/api/v1/api-keys/{keyId}', { params: { path: { keyId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['apiKeys'] }),
  })
  return (
    <Panel title={t('keys.title')}>
      {revoke.error ? <ProblemNotice error={revoke.error} /> : null}
      <Loaded query={keys}>
        {({ items }) => (
          <DataTable
            label={t('keys.title')}
            rows={items}
            rowKey={({ id }) => id}
            empty={t('keys.none')}
            columns={[
              { name: 'name', head: t('keys.name'), cell: ({ name }) => name },
              { name: 'rights', head: t('keys.rights'), cell: ({ permissions }) => permissions.join(', ') },
              { name: 'expires', head: t('keys.expires'), cell: ({ expiresAt }) => <Time at={expiresAt} /> },
              { name: 'used', head: t('keys.used'), cell: ({ lastUsedAt }) => (lastUsedAt === null ? '–' : <Time at={lastUsedAt} />) },
              {
                name: 'revoke',
                head: t('actions.title'),
                cell: ({ id, isActive }) =>
                  isActive ? (
                    <Button size="xs" variant="default" loading={revoke.isPending && revoke.variables === id} onClick={() => revoke.mutate(id)}>
                      {t('keys.revoke')}
                    </Button>
                  ) : (
                    t('keys.revoked')
                  ),
              },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Sessions() {
  const { t } = useI18n()
  const client = useQueryClient()
  const sessions = useQuery(sessionsQuery)
  const end = useMutation({
    mutationFn: (sessionId: string) => read(api.DELETE('/api/v1/auth/sessions/{sessionId}', { params: { path: { sessionId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['sessions'] }),
  })
  return (
    <Panel title={t('sessions.title')}>
      {end.error ? <ProblemNotice error={end.error} /> : null}
      <Loaded query={sessions}>
        {({ items }) => (
          <DataTable
            label={t('sessions.title')}
            rows={items}
            rowKey={({ id }) => id}
            empty={t('sessions.none')}
            columns={[
              { name: 'client', head: t('sessions.client'), cell: ({ client: browser, networkAddress }) => (browser === null ? t('sessions.erased') : `${browser} · ${networkAddress}`) },
              { name: 'status', head: t('column.status'), cell: ({ status, isCurrent }) => <><Status of={status} /> {isCurrent ? t('sessions.this') : null}</> },
              { name: 'began', head: t('sessions.began'), cell: ({ createdAt }) => <Time at={createdAt} /> },
              { name: 'used', head: t('sessions.used'), cell: ({ usedAt }) => <Time at={usedAt} /> },
              {
                name: 'end',
                head: t('actions.title'),
                cell: ({ id, isCurrent, endedAt }) =>
                  endedAt === null && !isCurrent ? (
                    <Button size="xs" variant="default" loading={end.isPending && end.variables === id} onClick={() => end.mutate(id)}>
                      {t('sessions.end')}
                    </Button>
                  ) : null,
              },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Policy() {
  const { t } = useI18n()
  const policy = useQuery(policyQuery)
  return (
    <Panel title={t('policy.title')} aside={<Link to="/administration/policy">{t('policy.open')}</Link>}>
      <Loaded query={policy}>
        {({ rules, version }) => (
          <>
            <RulesTable rules={rules} label={t('policy.title')} />
            <p className={ui.note}>{t('policy.version', { version })}</p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Notifications() {
  const { t } = useI18n()
  const channels = useQuery(channelsQuery)
  return (
    <Panel title={t('notifications.title')} aside={<Link to="/administration/notifications">{t('notifications.open')}</Link>}>
      <Loaded query={channels}>
        {({ channels: found }) => (
          <p className={ui.note}>{found.length === 0 ? t('notifications.noChannels') : found.map(({ name, kind }) => `${name} (${kind})`).join(', ')}</p>
        )}
      </Loaded>
    </Panel>
  )
}

function Settings() {
  const { t } = useI18n()
  const config = useQuery(configQuery)
  return (
    <Panel title={t('settings.title')}>
      <Loaded query={config}>
        {(data) => (
          <>
            <Facts of={factsOf(data, t)} />
            <details>
              <summary>{t('settings.all')}</summary>
              <pre className={ui.document}>{JSON.stringify(data, null, 2)}</pre>
            </details>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function factsOf({ chainId, contracts, sending }: Schemas['ConfigView'], t: ReturnType<typeof useI18n>['t']) {
  const wallets = (['keeper', 'approver', 'hot', 'warm', 'cold'] as const).flatMap((name) => {
    const address = sending[name]
    return address === null ? [] : [[name, <Address key={name} of={address} />] as const]
  })
  return [
    [t('settings.chain'), `${chainId}`] as const,
    ['Vault', <Address key="v" of={contracts.vault} />] as const,
    ['RedemptionManager', <Address key="r" of={contracts.redemptionManager} />] as const,
    ['AssetController', <Address key="a" of={contracts.assetController} />] as const,
    ...wallets,
    [t('settings.maxFee'), <Amount key="m" raw={sending.maxFeeWei} decimals={9} unit="gwei" />] as const,
  ]
}
