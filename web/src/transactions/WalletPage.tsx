import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { walletQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Facts, Loaded, Page, Panel } from '../ui/layout'
import { Address, Amount, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'
import { PastActions } from './PastActions'

const route = getRouteApi('/transactions/wallets/$address')

export function WalletPage() {
  const { t } = useI18n()
  const { address } = route.useParams()
  const wallet = useQuery(walletQuery(address))
  return (
    <Page title={t('wallets.wallet')}>
      <Loaded query={wallet}>
        {(data) => (
          <>
            {data.fault === null ? null : (
              <Alert color="red" title={t('status.FAULT')}>
                {data.fault}
                <Actions resource={`/wallets/${data.address}`} actions={['clear_fault']} />
              </Alert>
            )}
            <Panel title={data.name}>
              <Facts
                of={[
                  [t('wallets.wallet'), <Address key="a" of={data.address} />],
                  [t('wallets.nextNonce'), `${data.nextNonce}`],
                  [t('wallets.inFlight'), data.inFlightNonces.join(', ') || '–'],
                  data.missingNonces.length > 0 ? [t('wallets.missing'), data.missingNonces.join(', ')] : null,
                  data.accountState === null ? null : [t('wallets.gas'), <Amount key="g" raw={data.accountState.balanceWei} places={6} unit="BNB" />],
                  data.accountState === null ? null : [t('wallets.finalNonce'), `${data.accountState.finalNonce}`],
                  data.accountState === null ? null : [t('wallets.readAt'), <Time key="r" at={data.accountState.at} />],
                  data.lastError === null ? null : [t('wallets.lastError'), data.lastError.message],
                ]}
              />
            </Panel>
            <PastActions of={data.actions} />
          </>
        )}
      </Loaded>
    </Page>
  )
}
