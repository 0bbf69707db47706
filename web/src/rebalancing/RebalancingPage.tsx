import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { rebalanceStatusQuery } from '../api/queries'
import { bpsPercent } from '../format/amounts'
import { useI18n } from '../i18n'
import { Empty, Loaded, Page, Panel, Tile } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount, Status, Time } from '../ui/values'
import { DecisionPanel } from './Decision'
import { History } from './History'
import { Preview } from './Preview'
import { TIERS } from './targets'
import { TierShares } from './TierShares'
import { Triggers } from './Triggers'

type State = Schemas['RebalanceStatusView']

/** Does the fund need to trade, why or why not, what would it trade, and what came of earlier plans? */
export function RebalancingPage() {
  const { t } = useI18n()
  const status = useQuery(rebalanceStatusQuery)
  return (
    <Page title={t('section.rebalancing')}>
      <Loaded query={status}>
        {(state) => (
          <>
            <Answer state={state} />
            {state.pendingPlan === null ? null : <DecisionPanel title={t('rebalance.underWay')} decision={state.pendingPlan} />}
            <div className={ui.grid}>
              <Panel title={t('rebalance.nowAndTarget')}>
                <TierShares
                  label={t('rebalance.nowAndTarget')}
                  columns={[{ name: t('rebalance.now'), shares: state.state }]}
                  target={state.targetState}
                  file="paimon-tier-shares.csv"
                />
              </Panel>
              <Preview state={state} />
            </div>
            <Triggers triggers={state.triggers} />
            {state.lastRebalance === null ? null : <DecisionPanel title={t('rebalance.last')} decision={state.lastRebalance} />}
          </>
        )}
      </Loaded>
      <History />
    </Page>
  )
}

function Answer({ state }: { state: State }) {
  const { t } = useI18n()
  const { currentDeviation, thresholds, at } = state
  const furthest = TIERS.reduce((worst, tier) => (Math.abs(currentDeviation[tier]) > Math.abs(currentDeviation[worst]) ? tier : worst))
  return (
    <>
      {state.isAutomatic ? null : <Empty>{t('rebalance.notAutomatic')}</Empty>}
      <div className={ui.tiles}>
        <Tile label={t('rebalance.needed')} note={t(state.needsRebalance ? 'rebalance.neededText' : 'rebalance.notNeededText')}>
          <Status of={state.needsRebalance ? 'NEEDED' : 'NOT_NEEDED'} />
        </Tile>
        <Tile label={t('rebalance.furthest')} note={t('rebalance.triggerAt', { deviation: bpsPercent(thresholds.triggerDeviation) })}>
          {furthest} {bpsPercent(currentDeviation[furthest])}
        </Tile>
        <Tile label={t('rebalance.reserved')} note={t('rebalance.reservedNote')}>
          <Amount raw={state.reserved} unit="USDT" />
        </Tile>
        <Tile label={t('rebalance.smallest')} note={t('rebalance.smallestNote')}>
          <Amount raw={thresholds.minAmount} unit="USDT" />
        </Tile>
        <Tile label={t('rebalance.nextScheduled')}>
          <Time at={state.nextScheduled} />
        </Tile>
      </div>
      <p className={ui.note}>
        {t('ui.asOfBlock', { number: at.number })} · <Time at={at.timestamp} />
      </p>
    </>
  )
}
