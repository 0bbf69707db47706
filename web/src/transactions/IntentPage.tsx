import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { intentQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { Empty, Facts, Loaded, Page, Panel } from '../ui/layout'
import { Address, RedemptionLink, Status, Time } from '../ui/values'
import { Actions, type ActionName } from '../wallet/Actions'
import { Attempts } from './IntentProgress'
import { PastActions } from './PastActions'

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
              {data.attempts.length === 0 ? <Empty>{t('intent.noAttempts')}</Empty> : <Attempts of={data.attempts} />}
            </Panel>
            <Panel title={t('actions.title')}>
              <PossibleActions intent={data} />
            </Panel>
            <PastActions of={data.actions} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

function PossibleActions({ intent }: { intent: Schemas['IntentDetailView'] }) {
  const { t } = useI18n()
  const [first, ...others] = possible(intent)
  if (first === undefined) return <Empty>{t('actions.none')}</Empty>
  return <Actions resource={`/transactions/intents/${intent.id}`} actions={[first, ...others]} />
}

const ON_INTENTS: readonly ActionName[] = ['speed_up', 'cancel', 'retry']

/** The actions that the API would take now: it offers a document for each. */
function possible(intent: Schemas['IntentDetailView']): ActionName[] {
  return ON_INTENTS.filter((action) => action in intent.signing)
}
