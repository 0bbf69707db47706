import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { planQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { Facts, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Status, Time } from '../ui/values'
import { PlanProgress } from './PlanProgress'

const route = getRouteApi('/transactions/plans/$planId')

/** One plan: what was signed, which wallet sends it, and how it stands. */
export function PlanPage() {
  const { t } = useI18n()
  const { planId } = route.useParams()
  const plan = useQuery(planQuery(planId))
  return (
    <Page title={t('plan.title', { plan: plan.data?.plan ?? planId })} aside={plan.data ? <Status of={plan.data.status} /> : null}>
      <Loaded query={plan}>
        {(data) => (
          <div className={ui.grid}>
            <Panel title={t('ticket.what')}>
              <PlanFacts plan={data} />
            </Panel>
            <Panel title={t('ticket.afterwards')}>
              <PlanProgress plan={data} />
            </Panel>
          </div>
        )}
      </Loaded>
    </Page>
  )
}

function PlanFacts({ plan }: { plan: Schemas['PlanDetailView'] }) {
  const { t } = useI18n()
  return (
    <>
      <ol>
        {plan.calls.map(({ description, to, amount }, index) => (
          <li key={index}>
            <span className={ui.mono}>{description}</span>
            <div>
              <Address of={to} /> <Amount raw={amount} unit="USDT" />
            </div>
          </li>
        ))}
      </ol>
      <Facts
        of={[
          [t('sign.reason'), plan.reason],
          [t('ticket.wallet'), plan.wallet],
          [t('column.amount'), <Amount key="a" raw={plan.amount} />],
          [t('ticket.requestedBy'), <Address key="r" of={plan.requestedBy} />],
          [t('ticket.opened'), <Time key="t" at={plan.createdAt} />],
        ]}
      />
      {plan.rejectedWallets.length === 0 ? null : (
        <details>
          <summary>{t('plan.rejectedWallets')}</summary>
          <ul>
            {plan.rejectedWallets.map((text) => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        </details>
      )}
      <details>
        <summary>{t('ticket.signedDocument')}</summary>
        <pre className={ui.document}>{JSON.stringify(plan.typedData, null, 2)}</pre>
        <p className={ui.mono}>{plan.signature}</p>
      </details>
    </>
  )
}
