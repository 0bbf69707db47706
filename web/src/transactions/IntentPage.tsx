import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { intentQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { Facts, Loaded, Page, Panel } from '../ui/layout'
import { Address, RedemptionLink, Status, Time } from '../ui/values'
import { Attempts } from './IntentProgress'

const route = getRouteApi('/transactions/intents/$intentId')

export function IntentPage() {
  const { t } = useI18n()
  const { intentId } = route.useParams()
  const intent = useQuery(intentQuery(intentId))
  return (
    <Page title={t('intent.title')} aside={intent.data ? <Status of={intent.data.status} /> : null}>
      <Loaded query={intent}>
        {(data) => (
          <>
            <Panel title={t(`intent.${data.kind}` as Key) || data.kind}>
              <Facts
                of={[
                  data.requestId === null ? null : [t('column.request'), <RedemptionLink key="r" requestId={data.requestId} />],
                  [t('intent.wallet'), <Address key="w" of={data.wallet} />],
                  [t('intent.to'), <Address key="t" of={data.to} />],
                  [t('intent.created'), <Time key="c" at={data.createdAt} />],
                  data.reason === null ? null : [t('intent.reason'), data.reason],
                  data.closedAt === null
                    ? [t('intent.nextCheck'), <Time key="n" at={data.nextCheckAt} />]
                    : [t('intent.closed'), <Time key="n" at={data.closedAt} />],
                ]}
              />
            </Panel>
            <Panel title={t('intent.attempts')}>
              <Attempts of={data.attempts} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  )
}
