// What people do in the console, each as clicks in a real browser against the whole stack.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Person } from './browser.mjs'

/** For what the chain, or a process that starts again, takes its time for. */
const SLOW = { timeout: 180_000 }

/** Open a browser for a person; it is closed, and its faults are counted, when the story ends. */
async function newPerson({ browser, url, people }, options) {
  const person = await Person.open(browser, url, options)
  people.push(person)
  return person
}

async function signedIn(world, name, path = '', options = {}) {
  const person = await newPerson(world, options)
  await person.signIn(name, path)
  return person
}

const heading = (page, name) => page.getByRole('heading', { name, exact: true })
/** The part of a page below a title of its own. */
const panel = (page, title) => page.locator('section').filter({ has: heading(page, title) })
/** The state at the right of the page's title. */
const state = (page, text) => page.locator('main').getByText(text, { exact: true }).first()

async function redemptionIsApprovedAndSettled(world) {
  const { requestId } = await world.act('request', { name: 'ines', shares: 120_000 })
  const person = await signedIn(world, 'vera')
  const { page } = person
  // The overview names what waits, and leads there.
  await page.getByRole('link', { name: `#${requestId}` }).first().click()
  await heading(page, `Redemption ${requestId}`).waitFor()
  await page.getByRole('button', { name: 'Approve' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(/119,999\.99 USDT, less fees/).waitFor()
  await assertHashesOfTheBrowser(dialog)
  await dialog.getByLabel('Reason (optional)').fill('within the plan')
  await person.requireAccessible('the vote')
  await page.screenshot({ path: `${world.pictures}/console-vote.png` })
  // A refused signature sends nothing, and the reason stays.
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await person.refuse()
  await dialog.getByText('The wallet did not sign').waitFor()
  assert.equal(await dialog.getByLabel('Reason (optional)').inputValue(), 'within the plan')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await person.confirm()
  await dialog.waitFor({ state: 'hidden' })
  // The page follows the decision to the chain by itself.
  await page.getByText('Approved on chain').waitFor(SLOW)
  await page.getByText('within the plan').first().waitFor()
  await page.getByText('Not due yet').waitFor()
  await world.act('warp', { seconds: 8 * 86_400 })
  await page.getByText('Settled: shares burned, money paid').waitFor(SLOW)
  await state(page, 'Settled').waitFor()
  await page.getByText('119,399.99 USDT').waitFor()
}

async function assertHashesOfTheBrowser(dialog) {
  await dialog.getByLabel('Hashes to compare').waitFor()
  const hashes = await dialog.getByLabel('Hashes to compare').locator('dd').allInnerTexts()
  assert.equal(hashes.length, 3)
  for (const hash of hashes) assert.match(hash, /^0x[0-9a-f]{64}/)
}

async function redemptionIsRejected(world) {
  const { requestId, ticketId } = await world.act('request', { name: 'ivan', shares: 150_000 })
  const { page } = await signedIn(world, 'viktor', 'approvals')
  const viktor = world.people.at(-1)
  await page.getByRole('link', { name: ticketId }).first().click()
  await page.getByRole('button', { name: 'Reject' }).click()
  const dialog = page.getByRole('dialog')
  const sign = dialog.getByRole('button', { name: 'Sign with the wallet' })
  await sign.waitFor()
  assert.equal(await sign.isDisabled(), true, 'a rejection needs a reason')
  await dialog.getByLabel('Reason', { exact: true }).fill('the receiver is unknown')
  // Viktor stops waiting for the wallet; it signs all the same, and nothing is sent.
  await sign.click()
  await viktor.wallet().waitFor()
  await page.getByRole('button', { name: 'Stop waiting for the wallet', includeHidden: true }).dispatchEvent('click')
  await viktor.confirm()
  await sign.click()
  await viktor.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await state(page, 'Rejected').waitFor(SLOW)
  await viktor.visit(`redemptions/${requestId}`)
  await page.getByText('the receiver is unknown').first().waitFor(SLOW)
}

async function viewerIsOfferedNoAction(world) {
  const { requestId, ticketId } = await world.act('request', { name: 'isla', shares: 110_000 })
  const { page } = await signedIn(world, 'willa', `approvals/${ticketId}`)
  await page.getByText(/Not offered: this needs the role admin/).waitFor()
  assert.equal(await page.getByRole('button', { name: /Approve|Reject/ }).count(), 0)
  await world.people.at(-1).visit(`redemptions/${requestId}`)
  await page.getByText('There is no settlement date before the request is approved.').waitFor()
  assert.equal(await page.getByRole('button', { name: /Approve|Reject|Settle/ }).count(), 0)
}

/** While a part of the system is away, the page says so; afterwards it shows the present state again, without a reload. */
async function apiAndRedisStopAndReturn(world) {
  const { page } = await signedIn(world, 'otto')
  await page.getByText('Live', { exact: true }).waitFor()
  await world.act('kill', { process: 'api' })
  await page.getByText('Figures may be out of date').waitFor(SLOW)
  await page.getByText('Live', { exact: true }).waitFor(SLOW)
  await page.getByText('Figures may be out of date').waitFor({ state: 'hidden' })
  await world.act('kill', { process: 'redis' })
  const { requestId } = await world.act('request', { name: 'ilja', shares: 130_000 })
  await page.getByRole('link', { name: `#${requestId}` }).first().waitFor(SLOW)
  await page.getByText('Live', { exact: true }).waitFor(SLOW)
}

/** Only the WebSocket is away: the page says that it reads on by itself, shows what is new, and is live again without help. */
async function messagesStopWhileTheApiAnswers(world) {
  const otto = await newPerson(world)
  const { page } = otto
  const sockets = []
  let isAway = false
  await page.routeWebSocket('**/api/v1/ws', (socket) => {
    if (isAway) return void socket.close({ code: 1011 })
    socket.connectToServer()
    sockets.push(socket)
  })
  await otto.signIn('otto', 'redemptions')
  await page.getByText('Live', { exact: true }).waitFor(SLOW)
  isAway = true
  for (const socket of sockets) await socket.close({ code: 1011 })
  await page.getByText('Live updates are paused').waitFor(SLOW)
  await otto.requireAccessible('paused live updates')
  const { requestId } = await world.act('request', { name: 'ilja', shares: 1_200 })
  await page.getByRole('link', { name: `#${requestId}` }).first().waitFor(SLOW)
  assert.equal(await page.getByText('Live updates are paused').isVisible(), true, 'the request was read, not told')
  isAway = false
  await page.getByText('Live', { exact: true }).waitFor(SLOW)
  await page.getByText('Live updates are paused').waitFor({ state: 'hidden' })
}

async function filtersAreInTheAddress(world) {
  const { page } = await signedIn(world, 'otto', 'redemptions?status=SETTLED')
  await page.getByLabel('Channel').selectOption('SCHEDULED') // no story requests by this channel
  await page.getByText('No requests match.').waitFor()
  assert.match(page.url(), /status=SETTLED/)
  assert.match(page.url(), /channel=SCHEDULED/)
  await page.reload() // the session goes on, and so does the filter
  await page.getByText('No requests match.').waitFor()
  await page.getByLabel('Channel').selectOption('')
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'CSV' }).click()
  assert.match((await download).suggestedFilename(), /^paimon-.*redemptions.*\.csv$/)
}

/** Two approvers decide at the same time: the second is told that the state no longer allows it, and sees the present one. */
async function twoApproversDecideAtOnce(world) {
  const { ticketId } = await world.act('request', { name: 'ines', shares: 101_000 })
  const dialogs = []
  for (const name of ['vera', 'viktor']) {
    const person = await signedIn(world, name, `approvals/${ticketId}`)
    await person.page.getByRole('button', { name: 'Approve' }).click()
    dialogs.push([person, person.page.getByRole('dialog')])
  }
  const [[vera, first], [viktor, second]] = dialogs
  await first.getByRole('button', { name: 'Sign with the wallet' }).click()
  await second.getByRole('button', { name: 'Sign with the wallet' }).click()
  await vera.confirm()
  await first.waitFor({ state: 'hidden' })
  await viktor.confirm()
  const told = /The present state does not allow it|This ticket takes no more votes/
  await second.getByText(told).first().waitFor(SLOW)
  await second.getByRole('button', { name: 'Close' }).click()
  await viktor.page.getByText('Votes: 1 of 1').waitFor()
}

/** An operator resolves a risk event by a signature over exactly what the API says will happen: one party split its redemption. */
async function operatorResolvesARiskEvent(world) {
  await world.act('request', { name: 'isla', shares: 60_000 })
  await world.act('request', { name: 'isla', shares: 60_000 })
  const otto = await signedIn(world, 'otto', 'risk?risk=OPEN')
  const { page } = otto
  const event = page.getByRole('region', { name: 'Risk events' }).getByRole('row').filter({ hasText: 'SPLIT_REDEMPTIONS' })
  await event.getByRole('button', { name: 'Resolve' }).click(SLOW)
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Reason').fill('two people of one family office')
  await dialog.getByRole('button', { name: 'Show what will happen' }).click()
  await assertHashesOfTheBrowser(dialog)
  await otto.requireAccessible('an action')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await otto.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await event.waitFor({ state: 'detached' }) // the filter shows open events only
}

/** An operator settles a due request by a click while the system's own schedule stands still; the page follows it to the chain. */
async function operatorSettlesByAClick(world) {
  const { requestId } = await world.act('request', { name: 'inga', shares: 20_000 }) // needs no approval
  await world.act('stop', { process: 'scheduler' })
  await world.act('warp', { seconds: 8 * 86_400 })
  await world.act('request', { name: 'isla', shares: 1_000 }) // so that the API knows of a later block
  const otto = await signedIn(world, 'otto', `redemptions/${requestId}`)
  const { page } = otto
  await page.getByRole('button', { name: 'Settle now' }).click(SLOW)
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Reason').fill('the investor called')
  await dialog.getByRole('button', { name: 'Show what will happen' }).click()
  await dialog.getByText(new RegExp(`^Settle redemption request ${requestId}: pay`)).first().waitFor()
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await otto.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByText('The settlement is on its way.').waitFor()
  await world.act('start', { process: 'scheduler' })
  await page.getByText('Settled: shares burned, money paid').waitFor(SLOW)
  await state(page, 'Settled').waitFor(SLOW)
}

/**
 * A drill from its start to its end: an administrator starts it, the owners of the cold Safe sign one step, another is declined, and
 * it is stood down. A viewer is offered none of it, and sees on another screen that it is under way.
 */
async function drillIsFollowedToItsEnd(world) {
  const willa = await signedIn(world, 'willa', 'risk')
  await panel(willa.page, 'Emergencies and drills').getByText(/^Not offered: this needs the role admin/).waitFor(SLOW)
  await willa.page.getByRole('link', { name: 'NAV', exact: true }).click()
  const vera = await signedIn(world, 'vera', 'transactions')
  const { page } = vera
  // A drill needs the owners of the cold Safe, and an assessment of the risk.
  await page.getByRole('region', { name: 'Safes' }).getByText('3 of 5').waitFor(SLOW)
  await page.getByRole('link', { name: 'Risk', exact: true }).click()
  await heading(page, 'Concentration').waitFor(SLOW)
  await signAction(vera, page.getByRole('button', { name: 'Start a drill' }), 'the drill of this quarter', /people are alerted, and nothing is sent/)
  const underWay = 'A drill is under way: nothing of it is sent'
  await willa.page.getByText(underWay).waitFor(SLOW)
  await page.getByRole('link', { name: 'What waits for whom' }).click()
  const step = (person, name) => person.page.getByRole('article', { name })
  await step(vera, 'Stop subscriptions').waitFor(SLOW)
  const path = new URL(page.url()).pathname.replace('/console/', '')
  const owners = [vera, await signedIn(world, 'viktor', path), await signedIn(world, 'ada', path)]
  for (const [index, owner] of owners.entries()) {
    await step(owner, 'Stop subscriptions').getByText(`${index} of 3 owners of the cold Safe`).waitFor(SLOW) // those before, without a reload
    await signAction(owner, step(owner, 'Stop subscriptions').getByRole('button', { name: 'Sign the step' }), 'as in an emergency', /^DRILL: sign step PAUSE_VAULT/)
  }
  await step(vera, 'Stop subscriptions').getByText('Done', { exact: true }).first().waitFor(SLOW)
  await signAction(vera, step(vera, 'Stop new requests').getByRole('button', { name: 'Decline the step' }), 'one is enough today', /^Decline step PAUSE_REDEMPTIONS/)
  await step(vera, 'Stop new requests').getByText('Declined', { exact: true }).waitFor(SLOW)
  await willa.page.getByRole('link', { name: 'What waits for whom' }).click()
  await step(willa, 'Stop new requests').getByText('Declined', { exact: true }).waitFor(SLOW)
  await willa.page.getByRole('button', { name: 'Sign the step' }).first().waitFor(SLOW) // a viewer, and an owner of the cold Safe
  assert.equal(await willa.page.getByRole('button', { name: /Decline the step|Stand it down/ }).count(), 0)
  await vera.requireAccessible('a drill under way')
  await page.screenshot({ path: `${world.pictures}/console-drill.png` })
  await signAction(vera, page.getByRole('button', { name: 'Stand it down' }), 'the drill is over', /^Stand down drill \d+/)
  for (const person of [vera, willa]) {
    await state(person.page, 'Stood down').waitFor(SLOW)
    await panel(person.page, 'Timeline').getByText(/the drill is over/).waitFor()
    await person.page.getByText(underWay).waitFor({ state: 'detached', ...SLOW })
  }
}

/** Take an action of a person: give the reason, read what will happen, and sign it. */
async function signAction(person, button, reason, statement) {
  const dialog = person.page.getByRole('dialog')
  await button.click()
  await dialog.getByLabel('Reason').fill(reason)
  await dialog.getByRole('button', { name: 'Show what will happen' }).click()
  await dialog.getByText(statement).first().waitFor()
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await person.confirm()
  await dialog.waitFor({ state: 'hidden' })
}

/** Emergency mode: an investor leaves within a day, and an approver votes under the shorter deadline. */
async function emergencyRequestIsApproved(world) {
  await world.act('setEmergencyMode', { isOn: true })
  const { requestId, ticketId } = await world.act('request', { name: 'ivan', shares: 40_000, emergency: true })
  const vera = await signedIn(world, 'vera')
  const { page } = vera
  await page.getByText('Emergency mode is on').waitFor(SLOW)
  await page.getByRole('link', { name: `#${requestId}` }).first().click()
  await panel(page, 'Request').getByText('Emergency', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Approve' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await vera.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByText('Approved on chain').waitFor(SLOW)
  await world.act('warp', { seconds: 86_400 + 60 })
  await page.getByText('Settled: shares burned, money paid').waitFor(SLOW)
  await vera.visit(`approvals/${ticketId}`)
  await state(page, 'Approved').waitFor()
  await world.act('setEmergencyMode', { isOn: false })
  await page.getByRole('link', { name: 'Overview' }).first().click()
  await page.getByText('Emergency mode is on').waitFor({ state: 'detached', ...SLOW })
}

/** The oracle's price of an asset jumps: people see that it is not trusted, why, and what stops; one takes note; then it is taken back. */
async function priceIsNotTrustedForAWhile(world) {
  const otto = await signedIn(world, 'otto', 'assets')
  const { page } = otto
  await world.act('movePrice', { symbol: 'RWAP', byBps: 2_500 })
  const prices = page.getByRole('region', { name: 'Prices' })
  await prices.getByRole('row').filter({ hasText: 'RWAP' }).getByText('Not trusted').waitFor(SLOW)
  await page.getByRole('link', { name: 'Risk', exact: true }).click()
  const event = page.getByRole('region', { name: 'Risk events' }).getByRole('row').filter({ hasText: 'PRICE_UNTRUSTED' }).first()
  await event.getByRole('button', { name: 'Acknowledge' }).click(SLOW)
  await event.getByText('Acknowledged', { exact: true }).waitFor()
  assert.equal(await event.getByRole('button', { name: 'Acknowledge' }).count(), 0)
  await page.getByRole('link', { name: 'Overview' }).first().click()
  await page.getByText(/^official NAV withheld: /).waitFor(SLOW) // it is published each minute
  await page.getByRole('link', { name: 'Assets', exact: true }).click()
  await prices.getByRole('link', { name: 'RWAP' }).click()
  const warning = page.getByRole('alert')
  await warning.getByText(/a jump from 1000 .* to 1250/).waitFor()
  await warning.getByText('NAV is not official').waitFor(SLOW)
  await warning.getByText('Plans that trade RWAP are refused.').waitFor()
  await otto.requireAccessible('an asset whose price is not trusted')
  await page.screenshot({ path: `${world.pictures}/console-price.png` })
  const download = page.waitForEvent('download')
  await panel(page, 'Observations').getByRole('button', { name: 'CSV' }).click()
  assert.match((await download).suggestedFilename(), /price-observations/)
  await world.act('movePrice', { symbol: 'RWAP', byBps: -2_000 })
  await warning.waitFor({ state: 'detached', ...SLOW })
  await state(page, 'Trusted').waitFor()
}

/** What would a run do? An operator composes a scenario and shares its address; a viewer is not offered it. */
async function operatorRunsAStressScenario(world) {
  await world.act('request', { name: 'ines', shares: 90_000 })
  const otto = await signedIn(world, 'otto', 'liquidity')
  const { page } = otto
  await page.getByRole('region', { name: 'Promises' }).getByText('Covered', { exact: true }).first().waitFor(SLOW)
  await page.getByLabel('Requested (% of net assets)').fill('300')
  await page.getByRole('button', { name: 'Run the scenario' }).click()
  await page.getByText('A percentage from 0 to 100, with two places at most').waitFor()
  await page.getByLabel('Requested (% of net assets)').fill('70')
  await page.getByLabel('within so many days').fill('5')
  await page.getByLabel('the largest asset is frozen').check()
  await page.getByRole('button', { name: 'Run the scenario' }).click()
  const result = page.getByRole('region', { name: 'Your scenario' }).getByRole('row').filter({ hasText: '70 % requested in 5 day(s), the largest asset is frozen' })
  await result.getByText('Broken', { exact: true }).waitFor(SLOW)
  await page.getByRole('region', { name: 'Standard scenarios' }).getByText('10 % leave in a day').waitFor(SLOW)
  // What a gate would do to those requests, and what may be requested besides.
  await page.getByLabel('A window pays (% of the fund)').fill('0.1.2')
  await page.getByRole('button', { name: 'Try the gate' }).click()
  await panel(page, 'What a gate would do').getByText('A percentage from 0 to 100, with two places at most').waitFor()
  await page.getByLabel('A window pays (% of the fund)').fill('12.5')
  await page.getByRole('button', { name: 'Try the gate' }).click()
  const gateResult = page.getByText('The contracts have no gate: they pay a request whole or not at all.')
  await gateResult.waitFor(SLOW)
  // A result stands beside its own question alone.
  await page.getByLabel('A window pays (% of the fund)').fill('13')
  await gateResult.waitFor({ state: 'detached' })
  await page.getByLabel('A window pays (% of the fund)').fill('12.5')
  await gateResult.waitFor()
  await page.getByRole('region', { name: 'Investors, the largest first' }).getByText('those of the scenario').waitFor()
  await page.getByRole('img', { name: /^Forecast of liquidity: Balance, expected day 0: / }).waitFor(SLOW)
  await otto.requireAccessible('a stress test')
  await page.getByLabel('Horizon').selectOption('30d')
  await page.getByRole('img', { name: /; Balance, 5 % above day 0: .* day 29: / }).waitFor(SLOW)
  await page.reload()
  await result.getByText('Broken', { exact: true }).waitFor(SLOW)
  await page.getByRole('img', { name: /; Balance, 5 % above day 0: .* day 29: / }).waitFor(SLOW)
  const willa = await signedIn(world, 'willa', new URL(page.url()).pathname.replace('/console/', '') + new URL(page.url()).search)
  await willa.page.getByText(/^Not offered: this needs the role operator/).nth(1).waitFor() // the stress test and the gate
  assert.equal(await willa.page.getByRole('button', { name: /Run the scenario|Try the gate/ }).count(), 0)
}

/**
 * An operator plans with targets of their own, reads what would be traded, and submits it. Two owners of the warm Safe sign it, and all
 * three see the fund at the new shares.
 */
async function operatorRebalancesWithOwnTargets(world) {
  const otto = await signedIn(world, 'otto', 'rebalancing')
  const { page } = otto
  const targetOf = (tier) => page.getByLabel(`Target of ${tier} (%)`)
  const now = {}
  for (const tier of ['L1', 'L2', 'L3']) {
    const text = await page.getByRole('img', { name: new RegExp(`^${tier}: Now `) }).getAttribute('aria-label', SLOW)
    now[tier] = Math.round(100 * text.match(/Now ([\d.]+) %/)[1]) // basis points
  }
  // The nearest hundredths of a percent may not add up to the whole; the largest tier takes the rest.
  const targets = { L1: now.L1 - 40, L2: now.L2 + 40, L3: 10_000 - now.L1 - now.L2 }
  const percent = (bps) => (bps / 100).toFixed(2)
  await targetOf('L1').fill('12 or so')
  await page.getByRole('button', { name: 'Preview', exact: true }).click()
  await page.getByText('A percentage from 0 to 100, with two places at most').waitFor()
  await targetOf('L1').fill(percent(targets.L1))
  await targetOf('L2').fill(percent(targets.L2))
  await targetOf('L3').fill(percent(targets.L3 + 1))
  await page.getByText('The targets add up to 100.01 %; they must add up to 100 %.').waitFor()
  await targetOf('L3').fill(percent(targets.L3))
  await page.getByRole('button', { name: 'Preview', exact: true }).click()
  await page.getByRole('region', { name: 'Trades' }).first().getByText('Buy into L2').first().waitFor(SLOW)
  await page.getByText('It is proposed to the owners of the warm Safe.').waitFor()
  await otto.requireAccessible('a preview of a rebalance')
  const before = await world.act('tierValue', { tier: 'L2' })
  await page.getByRole('button', { name: 'Submit the plan' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(/are proposed to the owners of the warm Safe; they run once enough of them have signed/).waitFor()
  await assertHashesOfTheBrowser(dialog)
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await otto.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByText('The plan is submitted').waitFor()
  const underWay = panel(page, 'Under way')
  await underWay.getByText('Signatures: 0 of 2').waitFor(SLOW)
  // The owners come by ways of their own: from the list of Safe transactions, and by a link that was sent to them.
  const vera = await signedIn(world, 'vera', 'transactions')
  await vera.page.getByRole('region', { name: 'Safe transactions' }).getByRole('link', { name: /purchaseAsset/ }).first().click(SLOW)
  await signAsOwner(world, vera)
  await vera.page.getByText('You have signed.').waitFor(SLOW)
  await vera.page.getByText('Signatures: 1 of 2').waitFor()
  await vera.page.getByText('It is sent when enough owners have signed.').waitFor()
  const viktor = await signedIn(world, 'viktor', new URL(vera.page.url()).pathname.replace('/console/', ''))
  await signAsOwner(world, viktor)
  // All follow it to the chain without loading the page again.
  for (const owner of [viktor, vera]) await state(owner.page, 'Executed').waitFor(SLOW)
  const last = panel(page, 'Last rebalance')
  await last.getByText('As expected', { exact: true }).waitFor(SLOW)
  await underWay.waitFor({ state: 'detached', ...SLOW })
  assert.ok(BigInt(await world.act('tierValue', { tier: 'L2' })) > BigInt(before), 'the fund holds more of what the plan buys')
  await last.getByRole('link', { name: 'The plan, with every call' }).click()
  await state(page, 'Done').waitFor(SLOW)
  await reversalIsSubmittedAndCancelled(otto)
  const willa = await signedIn(world, 'willa', 'rebalancing')
  await willa.page.getByText(/^Not offered: this needs the role operator/).waitFor()
  assert.equal(await willa.page.getByRole('button', { name: 'Preview', exact: true }).count(), 0)
}

/** An operator has the trades planned that undo an executed rebalance, submits them, and cancels the plan again. */
async function reversalIsSubmittedAndCancelled(otto) {
  const { page } = otto
  const dialog = page.getByRole('dialog')
  const sign = async () => {
    await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
    await otto.confirm()
    await dialog.waitFor({ state: 'hidden' })
  }
  await otto.go('rebalancing')
  const executed = page.getByRole('region', { name: 'History' }).getByRole('row').filter({ has: page.getByText('Executed', { exact: true }) })
  await executed.first().getByRole('button', { name: 'Details' }).click(SLOW)
  await dialog.getByRole('button', { name: 'Show the trades that undo it' }).click()
  const reversal = page.getByRole('region', { name: 'Undo this rebalance' })
  await reversal.getByText('Sell out of L2').first().waitFor(SLOW)
  await reversal.getByText('Undoes an earlier trade').first().waitFor()
  await otto.requireAccessible('the reversal of a rebalance')
  await reversal.getByRole('button', { name: 'Submit the plan' }).click()
  await assertHashesOfTheBrowser(dialog)
  await sign()
  await reversal.getByText('The plan is submitted').waitFor()
  await panel(page, 'Under way').getByRole('link', { name: /^Reject or cancel it by ticket/ }).click(SLOW)
  await page.getByRole('button', { name: 'Cancel the plan' }).click()
  await sign()
  await state(page, 'Cancelled').waitFor(SLOW)
}

/** Sign a Safe transaction that is open on the page, after a look at the hashes that the browser computes. */
async function signAsOwner(world, owner) {
  const { page } = owner
  const hashCard = await world.act('hashCard', { safeTxHash: page.url().match(/0x[0-9a-f]{64}$/)[0] })
  await page.getByRole('button', { name: 'Sign as owner' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Hashes to compare').waitFor()
  const shownHashes = await dialog.getByLabel('Hashes to compare').locator('dd').allInnerTexts()
  assert.deepEqual(shownHashes.map((hash) => hash.trim()), [hashCard.domainHash, hashCard.messageHash, hashCard.safeTxHash])
  await owner.requireAccessible('signing for a Safe')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await owner.confirm()
  await dialog.waitFor({ state: 'hidden' })
}

/** A draft of today's report: its files are saved only with the recorded hash, and a file is recognised, or a changed one is not. */
async function reportIsReadAndItsFilesAreVerified(world) {
  const day = await world.act('report')
  const willa = await signedIn(world, 'willa', 'reports?status=FINAL')
  const { page } = willa
  await page.getByText('No report matches.').waitFor()
  await page.getByLabel('Status').selectOption('DRAFT')
  await page.getByRole('region', { name: 'Reports' }).getByRole('link', { name: `Daily report ${day}` }).first().click()
  await state(page, 'Draft').waitFor()
  await page.getByText(/the period is not over/).first().waitFor()
  await page.getByRole('region', { name: 'Figures that must be equal' }).getByText('Sum of the tiers = gross assets').waitFor()
  const files = {}
  for (const format of ['JSON', 'CSV', 'XLSX in Chinese', 'PDF in English']) {
    const download = page.waitForEvent('download')
    await page.getByRole('button', { name: `Download ${format}` }).click()
    files[format] = await (await download).path()
  }
  await willa.requireAccessible('a report')
  await page.screenshot({ path: `${world.pictures}/console-report.png` })
  // A file that was changed on its way is not saved.
  await page.route('**/api/v1/reports/daily?*format=pdf*', (route) => route.fulfill({ body: 'another file' }))
  await page.getByRole('button', { name: 'Download PDF in Chinese' }).click()
  await page.getByText(/the file is not the one with the hash [0-9a-f]{64}/).waitFor()
  await page.getByRole('link', { name: 'Reports', exact: true }).click()
  const chooser = page.locator('input[type=file]')
  for (const path of Object.values(files)) {
    await chooser.setInputFiles(path)
    await page.getByText(new RegExp(`^${basename(path)} is a file of this fund’s reports`)).waitFor()
  }
  await chooser.setInputFiles({ name: 'changed.pdf', mimeType: 'application/pdf', buffer: Buffer.concat([readFileSync(files['PDF in English']), Buffer.from(' ')]) })
  await page.getByText('changed.pdf is no file of any report').waitFor()
  await willa.requireAccessible('a file that is of no report')
  // A holder's statement is made when it is asked for.
  const holder = page.getByLabel('Holder', { exact: true })
  await holder.fill('0x1234')
  await page.getByRole('button', { name: 'PDF in Chinese', exact: true }).click()
  await page.getByText('An address: 0x and 40 hexadecimal digits').waitFor()
  await holder.fill(await page.locator('#statement-holders option').first().getAttribute('value'))
  const statement = page.waitForEvent('download')
  await page.getByRole('button', { name: 'PDF in Chinese', exact: true }).click()
  assert.match((await statement).suggestedFilename(), /statement.*\.zh\.pdf$/)
}

/** A test message is taken, another is refused and sent again; what a person prefers is kept; a viewer is offered no test. */
async function messagesAreTestedAndSentAgain(world) {
  const otto = await signedIn(world, 'otto', 'administration')
  const { page } = otto
  await page.getByRole('link', { name: 'Channels, messages and preferences' }).click()
  const channel = (name) => page.getByRole('region', { name: 'Channels' }).getByRole('row').filter({ hasText: `${name} (slack)` })
  const message = (name) => page.getByRole('region', { name: 'Messages' }).getByRole('row').filter({ hasText: name }).first()
  await world.act('refuseMessages', { channel: 'operators' })
  await channel('operators').getByRole('button', { name: 'Send a test' }).click()
  await message('operators').getByText('Failed', { exact: true }).waitFor(SLOW)
  await otto.requireAccessible('a message that failed')
  await world.act('takeMessages', { channel: 'operators' })
  await message('operators').getByRole('button', { name: 'Send again' }).click()
  await message('operators').getByText('Sent', { exact: true }).waitFor(SLOW)
  await channel('otto-phone').getByRole('button', { name: 'Send a test' }).click()
  await message('otto-phone').getByText('Sent', { exact: true }).waitFor(SLOW)
  const preferences = panel(page, 'My preferences')
  await preferences.getByText('They hold for your channels: otto-phone.').waitFor()
  await preferences.getByLabel('Language').selectOption('Chinese')
  await preferences.getByLabel(/^Quiet hours/).check()
  await preferences.getByLabel('Time zone').fill('Europe/Nowhere')
  await preferences.getByRole('button', { name: 'Save' }).click()
  await preferences.getByRole('alert').waitFor()
  await preferences.getByLabel('Time zone').fill('Europe/Zurich')
  await preferences.getByRole('button', { name: 'Save' }).click()
  await preferences.getByText('Saved.').waitFor()
  await page.reload()
  await preferences.getByLabel('Time zone').waitFor()
  assert.equal(await preferences.getByLabel('Time zone').inputValue(), 'Europe/Zurich')
  await message('operators').getByRole('link').click()
  await panel(page, 'Delivery').getByText('a test', { exact: true }).waitFor()
  await otto.requireAccessible('a message')
  const willa = await signedIn(world, 'willa', 'administration/notifications')
  await willa.page.getByText(/^Not offered: /).first().waitFor()
  await willa.page.getByRole('region', { name: 'Channels' }).getByText('otto-phone (slack)').waitFor()
  assert.equal(await willa.page.getByRole('button', { name: 'Send a test' }).count(), 0)
}

const SCREENS = [
  ['', 'Overview'],
  ['redemptions', 'Redemptions'],
  ['approvals', 'Approvals'],
  ['rebalancing', 'Rebalancing'],
  ['liquidity', 'Liquidity'],
  ['risk', 'Risk'],
  ['nav', 'NAV'],
  ['assets', 'Assets'],
  ['transactions', 'Transactions'],
  ['reports', 'Reports'],
  ['system', 'System'],
  ['administration', 'Administration'],
  ['administration/notifications', 'Notifications'],
]

/** Every screen in both themes: nothing for axe to find, and its picture. */
async function screensAreAccessible(world) {
  const person = await newPerson(world)
  await person.visit()
  await person.page.getByRole('button', { name: /Demo wallet/ }).waitFor()
  await person.requireAccessibleInBothThemes('sign-in')
  await person.signIn('vera')
  for (const [path, title] of SCREENS) {
    if (path) await person.go(path) // sign-in leads to the first
    await heading(person.page, title).waitFor()
    await person.settled()
    await person.page.screenshot({ path: `${world.pictures}/console-${title.toLowerCase()}.png` })
    await person.requireAccessibleInBothThemes(title)
  }
}

/** Every page of one thing, in both themes. */
async function detailPagesAreAccessible(world) {
  const pages = await world.act('details', { name: 'ivan', shares: 106_000 })
  const person = await signedIn(world, 'vera')
  for (const path of pages) {
    await person.go(path)
    if (path.includes('/proposals/')) await multiSendIsExplained(person)
    await person.requireAccessibleInBothThemes(path.replace(/[^/]*$/, '…'))
  }
}

/** An owner is warned of how a MultiSend runs, and told that a hardware wallet cannot show it. */
async function multiSendIsExplained({ page }) {
  await page.getByText('This is a MultiSend, run by DELEGATECALL.').waitFor()
  await page.getByRole('button', { name: 'Sign as owner' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText('Hardware wallets cannot show a MultiSend clearly: compare the hashes.').waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
  await dialog.waitFor({ state: 'hidden' })
}

async function phoneShowsEveryScreen(world) {
  const person = await signedIn(world, 'vera', '', { width: 390, height: 844 })
  const { page } = person
  for (const [path, title] of SCREENS) {
    if (path) await person.go(path) // sign-in leads to the first
    await heading(page, title).waitFor()
    await person.settled()
    const [inner, scrolled] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth])
    assert.ok(scrolled <= inner, `${title} is ${scrolled} wide on a screen of ${inner}`)
  }
}

async function chineseReaderSeesChinese(world) {
  const vera = await signedIn(world, 'vera', '', { language: 'zh-CN' })
  const { page } = vera
  await heading(page, '总览').waitFor()
  assert.deepEqual(await vera.fontsOf('main h1'), ['Noto Sans SC'], 'the picture of a Chinese page would show boxes')
  assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN')
  await page.getByText('EN', { exact: true }).click()
  await heading(page, 'Overview').waitFor()
}

/** A page, a thing by its number, and a preference, all by keyboard. No key is waited for: people type as fast as they can. */
async function keyboardIsEnough(world) {
  const { requestId } = await world.act('request', { name: 'ilja', shares: 1_500 })
  const willa = await signedIn(world, 'willa')
  const { page } = willa
  const palette = page.getByRole('dialog', { name: 'Go to' })
  const open = async (text) => {
    await page.keyboard.press('Control+k')
    await page.keyboard.type(text)
    await page.keyboard.press('Enter')
    await palette.waitFor({ state: 'hidden' })
  }
  await open(`#${requestId}`)
  await heading(page, `Redemption ${requestId}`).waitFor()
  await open('dark')
  await page.locator('html[data-mantine-color-scheme=dark]').waitFor()
  // Enter comes before the palette knows the assets: it opens what was asked for once it does.
  let answerAssets
  const asked = new Promise((resolve) => (answerAssets = resolve))
  await page.route('**/api/v1/fund/assets?**', async (route) => {
    await asked
    await route.continue()
  })
  await page.reload()
  await heading(page, `Redemption ${requestId}`).waitFor()
  await page.keyboard.press('Control+k')
  await page.keyboard.type('mmfa')
  await page.keyboard.press('Enter')
  await palette.getByRole('status').waitFor()
  answerAssets()
  await page.locator('main h1').filter({ hasText: 'MMFA' }).waitFor()
  await palette.waitFor({ state: 'hidden' })
  // The arrow keys choose.
  await page.keyboard.press('Control+k')
  await page.keyboard.type('a')
  const second = await page.getByRole('option').nth(1).innerText()
  await page.keyboard.press('ArrowDown')
  await page.getByRole('option', { name: second, exact: true, selected: true }).waitFor()
  await willa.requireAccessible('the command palette')
  await page.keyboard.press('Escape')
  await palette.waitFor({ state: 'hidden' })
}

/** Addresses have the names that are known, and lead to the explorer that the settings name. */
async function addressesHaveNamesAndLeadToTheExplorer(world) {
  const { page } = await signedIn(world, 'willa')
  await page.route('**/api/v1/system/config', async (route) => {
    const response = await route.fetch()
    const answer = await response.json()
    await route.fulfill({ response, json: { ...answer, data: { ...answer.data, explorerUrl: 'https://explorer.example' } } })
  })
  await world.people.at(-1).visit('administration')
  const vault = page.getByRole('link', { name: /^Vault · 0x/ })
  assert.match(await vault.getAttribute('href'), /^https:\/\/explorer\.example\/address\/0x[0-9a-fA-F]{40}$/)
  assert.equal(await vault.getAttribute('rel'), 'noreferrer')
}

/** The server answers in a form that the page does not know: the page says so, and the rest of the console goes on. */
async function answerOfAnotherVersionIsNoDeadEnd(world) {
  const willa = await signedIn(world, 'willa')
  const { page } = willa
  const answersOtherwise = async (route) => {
    const response = await route.fetch()
    const answer = await response.json()
    await route.fulfill({ response, json: { ...answer, data: { something: 'else' } } })
  }
  await page.route('**/api/v1/prices', answersOtherwise)
  await page.getByRole('link', { name: 'Assets', exact: true }).click()
  await heading(page, 'This page cannot be shown').waitFor()
  await willa.requireAccessible('a page that failed')
  await page.getByRole('link', { name: 'Redemptions', exact: true }).click()
  await heading(page, 'Redemptions').waitFor()
  await page.unroute('**/api/v1/prices', answersOtherwise)
  await page.getByRole('link', { name: 'Assets', exact: true }).click()
  await heading(page, 'Assets').waitFor()
}

/** Of several wallets a person takes one by its name. On a phone nothing stands between the tap and the wallet's window. */
async function walletIsChosenFromSeveralOnAPhone(world) {
  const { requestId, ticketId } = await world.act('request', { name: 'isla', shares: 107_000 })
  const vera = await newPerson(world, { width: 390, height: 844 })
  const { page } = vera
  await page.addInitScript(() => {
    const other = { request: async () => [], on: () => {}, removeListener: () => {} }
    const info = { uuid: '350670db-19fa-4704-a166-e52e178b59d2', name: 'Another wallet', icon: 'data:image/svg+xml,<svg/>', rdns: 'example.another' }
    const announce = () => window.dispatchEvent(new CustomEvent('eip6963:announceProvider', { detail: { info, provider: other } }))
    window.addEventListener('eip6963:requestProvider', announce)
    announce()
    // A phone opens a wallet only in the tap itself: a task that a network answer begins is too late.
    window.taps = []
    let isInTap = false
    window.addEventListener('click', () => ((isInTap = true), setTimeout(() => (isInTap = false))), true)
    window.addEventListener('eip6963:announceProvider', ({ detail: { provider } }) => {
      if (provider.isWatched) return
      const request = provider.request.bind(provider)
      provider.request = (asked) => {
        if (/sign/i.test(asked.method)) window.taps.push([asked.method, isInTap])
        return request(asked)
      }
      provider.isWatched = true
    })
  })
  await vera.visit()
  await page.getByRole('button', { name: 'Connect Another wallet' }).waitFor()
  await vera.signIn('vera', `approvals/${ticketId}`)
  await page.getByRole('button', { name: 'Approve' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await vera.confirm()
  await dialog.waitFor({ state: 'hidden' })
  assert.deepEqual(await page.evaluate(() => window.taps), [['personal_sign', true], ['eth_signTypedData_v4', true]])
  await vera.visit(`redemptions/${requestId}`)
  await page.getByText('Approved on chain').waitFor(SLOW)
}

/** The reader's clock is three hours fast: the sign-in is accepted, and the time left is that of the server. */
async function clockOfTheReaderIsWrong(world) {
  const { ticketId } = await world.act('request', { name: 'ivan', shares: 108_000 })
  const leftOf = async (person) => {
    await person.signIn('viktor')
    const row = panel(person.page, 'Needs you now').locator('li').filter({ has: person.page.locator(`a[href$="${ticketId}"]`) })
    return (await row.getByRole('timer').innerText(SLOW)).match(/^in (\d+)h (\d+)m/).slice(1).reduce((hours, part) => hours * 60 + Number(part), 0)
  }
  const right = await leftOf(await newPerson(world))
  const fast = await newPerson(world)
  await fast.page.clock.setSystemTime(Date.now() + 3 * 3_600_000)
  assert.ok(Math.abs(right - (await leftOf(fast))) < 60, 'both see the same time left, but for what the second sign-in took')
}

/** The session ends while a reason is half written: the person signs in again over the page, and the reason is still there. */
async function sessionEndsInMidForm(world) {
  const { ticketId } = await world.act('request', { name: 'inga', shares: 105_000 })
  const vera = await signedIn(world, 'vera', `approvals/${ticketId}`)
  const { page } = vera
  await page.getByRole('button', { name: 'Reject' }).click()
  await page.getByLabel('Reason', { exact: true }).fill('half a reason')
  // Escape closes the palette alone, not the form below it.
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog', { name: 'Go to' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog', { name: 'Go to' }).waitFor({ state: 'hidden' })
  await world.act('endSessions', { name: 'vera' })
  await page.getByText('Your session has ended').waitFor(SLOW)
  await page.getByRole('button', { name: /^Sign in as/ }).click()
  await vera.confirm()
  await page.getByText('Your session has ended').waitFor({ state: 'hidden' })
  assert.equal(await page.getByLabel('Reason', { exact: true }).inputValue(), 'half a reason')
}

/** An approver loses the role on chain while a ticket is open: the vote is no longer offered, and the page says what is missing. */
async function approverLosesTheRole(world) {
  const { ticketId } = await world.act('request', { name: 'inga', shares: 101_000 })
  const { page } = await signedIn(world, 'viktor', `approvals/${ticketId}`)
  await page.getByRole('button', { name: 'Approve' }).waitFor()
  await world.act('setApprover', { name: 'viktor', holds: false })
  await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached', ...SLOW })
  await page.getByText(/^Not offered: /).waitFor()
  await world.act('setApprover', { name: 'viktor', holds: true })
  await page.getByRole('button', { name: 'Approve' }).waitFor(SLOW)
}

/** The wallet is on another network: it is switched by one click, and signs by another. */
async function walletIsOnAnotherNetwork(world) {
  const { requestId, ticketId } = await world.act('request', { name: 'inga', shares: 102_000 })
  const vera = await newPerson(world)
  const { page } = vera
  await page.addInitScript(() => {
    let isElsewhere = true
    window.addEventListener('eip6963:announceProvider', ({ detail: { provider } }) => {
      if (provider.request.isPatched) return
      const request = provider.request.bind(provider)
      provider.request = async (asked) => {
        if (asked.method === 'wallet_switchEthereumChain') {
          isElsewhere = false
          await request(asked)
          provider.emit('chainChanged', await request({ method: 'eth_chainId' }))
          return null
        }
        return asked.method === 'eth_chainId' && isElsewhere ? '0x38' : request(asked)
      }
      provider.request.isPatched = true
    })
  })
  await vera.signIn('vera', `approvals/${ticketId}`)
  await page.getByRole('button', { name: 'Approve' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByText(/^The wallet is on another network/).waitFor()
  assert.equal(await dialog.getByRole('button', { name: 'Sign with the wallet' }).count(), 0)
  await vera.requireAccessible('a wallet on another network')
  await dialog.getByRole('button', { name: /^Switch network to/ }).click()
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await vera.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await vera.visit(`redemptions/${requestId}`)
  await page.getByText('Approved on chain').waitFor(SLOW)
}

/** The node hangs, and is then stopped, while the page is open: the page says so, and by itself that it answers again. */
async function nodeStopsAndReturns(world) {
  const { page } = await signedIn(world, 'otto', 'system')
  const components = page.getByRole('region', { name: 'Components' })
  await components.getByText(/^head is \d+/).waitFor(SLOW)
  for (const [away, back] of [['pause', 'continue'], ['stop', 'start']]) {
    await world.act(away, { process: 'chain' })
    await components.getByText(/^does not answer|cannot connect|refused/).first().waitFor(SLOW)
    await world.act(back, { process: 'chain' })
    await components.getByText(/^head is \d+/).waitFor(SLOW)
  }
  const { requestId } = await world.act('request', { name: 'ilja', shares: 103_000 })
  await page.getByRole('link', { name: 'Redemptions' }).first().click() // the overview shows the next few only
  await page.getByRole('link', { name: `#${requestId}` }).first().waitFor(SLOW)
}

/** A transaction waits in the pool of a chain that makes no blocks: it is sped up, and another is cancelled. */
async function transactionIsSpedUpAndAnotherCancelled(world) {
  const { ticketId } = await world.act('request', { name: 'isla', shares: 104_000 })
  const vera = await signedIn(world, 'vera', `approvals/${ticketId}`)
  const { page } = vera
  await world.act('setMining', { isOn: false })
  try {
    await page.getByRole('button', { name: 'Approve' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
    await vera.confirm()
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('link', { name: /Approve on chain/ }).first().click(SLOW)
    for (const [name, outcome] of [['Speed up', 'replaced for a higher fee'], ['Cancel it', 'a self-send takes its nonce']]) {
      await page.getByRole('button', { name }).click(SLOW)
      await dialog.getByLabel('Reason').fill('it waits for too long')
      await dialog.getByRole('button', { name: 'Show what will happen' }).click()
      await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
      await vera.confirm()
      await dialog.waitFor({ state: 'hidden' })
      await panel(page, 'What people did').getByText(outcome).waitFor(SLOW) // one at a time
    }
    // What replaced what comes from the server: after a reload the page shows the same.
    await page.reload()
    await page.getByText('by a transaction with the same nonce and higher fees').first().waitFor(SLOW)
  } finally {
    await world.act('setMining', { isOn: true }) // the other stories need blocks
  }
  await state(page, 'Cancelled').waitFor(SLOW)
}

/** A super admin adds a person, changes and removes them, each by a signature; an admin is offered none of it. */
async function superAdminChangesThePeople(world) {
  const admin = await signedIn(world, 'vera', 'administration')
  await admin.page.getByRole('region', { name: 'People' }).getByText('super admin').waitFor()
  assert.equal(await admin.page.getByRole('button', { name: 'Add a person' }).count(), 0)
  const ada = await signedIn(world, 'ada', 'administration')
  const { page } = ada
  const row = page.getByRole('region', { name: 'People' }).getByRole('row').filter({ hasText: 'Nadia' })
  const dialog = page.getByRole('dialog')
  const sign = async (statement) => {
    await dialog.getByRole('button', { name: 'Show what will happen' }).click()
    await dialog.getByText(statement).first().waitFor()
    await ada.requireAccessible('the change of a person')
    await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
    await ada.confirm()
    await dialog.waitFor({ state: 'hidden' })
  }
  await page.getByRole('button', { name: 'Add a person' }).click()
  await dialog.getByLabel('Wallet', { exact: true }).fill('0x00000000000000000000000000000000000a11ce')
  await dialog.getByLabel('Name', { exact: true }).fill('Nadia')
  await dialog.getByText('Rights other than the role’s').click()
  await dialog.getByLabel('settle a due redemption', { exact: true }).selectOption('granted')
  await sign(/\(Nadia\) sign in as viewer, with settle/)
  await row.getByText('settle', { exact: true }).waitFor()
  await row.getByRole('button', { name: 'Change' }).click()
  await dialog.getByLabel('Role', { exact: true }).selectOption('operator')
  await sign(/\(Nadia\) sign in as operator/)
  await row.getByText('operator', { exact: true }).waitFor()
  await row.getByRole('button', { name: 'Remove' }).click()
  await sign(/^Remove 0x/)
  await row.waitFor({ state: 'detached' })
}

/** An admin who leaves names a stand-in, who then has the right to decide, and takes the right back. */
async function adminNamesAStandInAndEndsIt(world) {
  const vera = await signedIn(world, 'vera', 'administration')
  const { page } = vera
  const dialog = page.getByRole('dialog')
  const row = panel(page, 'Stand-ins').getByRole('row').filter({ hasText: 'three weeks at sea' })
  const sign = async (statement) => {
    await dialog.getByRole('button', { name: 'Show what will happen' }).click()
    await dialog.getByText(statement).first().waitFor()
    await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
    await vera.confirm()
    await dialog.waitFor({ state: 'hidden' })
  }
  await panel(page, 'Stand-ins').getByRole('button', { name: 'Name a stand-in' }).click()
  await dialog.getByLabel('Stand-in', { exact: true }).selectOption({ label: 'otto' })
  await dialog.getByLabel('For how many days').selectOption('30')
  await dialog.getByLabel('Reason').fill('three weeks at sea')
  await vera.requireAccessible('naming a stand-in')
  await sign(/decides approvals in my place/)
  await row.getByText('otto').waitFor()
  const otto = await signedIn(world, 'otto', 'administration')
  const lent = otto.page.getByRole('row').filter({ hasText: 'submit owners' })
  await lent.getByRole('cell', { name: 'Yes' }).first().waitFor()
  await panel(otto.page, 'Stand-ins').getByRole('button', { name: 'End it' }).waitFor()
  await row.getByRole('button', { name: 'End it' }).click()
  await dialog.getByLabel('Reason').fill('back again')
  await sign(/no longer decides approvals/)
  await row.waitFor({ state: 'detached' })
  await panel(page, 'Stand-ins').getByText('No one stands in for another.').waitFor()
}

/** An admin drafts the next policy version, sees its fault, mends it; another admin publishes it, and the dry run shows its effect. */
async function policyIsDraftedAndPublishedByAnother(world) {
  const author = await signedIn(world, 'vera', 'administration')
  await author.page.getByRole('link', { name: 'Drafts, dry run and versions' }).click()
  await heading(author.page, 'Approval policy').waitFor()
  await author.page.getByRole('region', { name: 'In force' }).getByRole('row').nth(1).waitFor()
  const dialog = author.page.getByRole('dialog')
  await author.page.getByRole('button', { name: 'Write a draft' }).click()
  await dialog.getByLabel('Title', { exact: true }).fill('Block pauses')
  const rules = JSON.parse(await dialog.getByLabel('Rules', { exact: true }).inputValue())
  const blocked = { name: 'no_pauses', verdict: 'BLOCK', when: { kinds: ['CALL'], methods: ['pause'] } }
  await dialog.getByLabel('Rules', { exact: true }).fill(JSON.stringify([...rules, blocked]))
  await author.requireAccessible('the draft of a policy')
  await dialog.getByRole('button', { name: 'Save the draft' }).click()
  await dialog.waitFor({ state: 'hidden' })
  const draft = (page) => page.getByRole('region', { name: 'Drafts of the next version' }).getByRole('row').filter({ hasText: 'Block pauses' })
  await draft(author.page).getByText(/^UNREACHABLE/).waitFor()
  await draft(author.page).getByRole('button', { name: 'Edit' }).click()
  await dialog.getByLabel('Rules', { exact: true }).fill(JSON.stringify([blocked, ...rules]))
  await dialog.getByRole('button', { name: 'Save the draft' }).click()
  await dialog.waitFor({ state: 'hidden' })
  await draft(author.page).getByText('Nothing: another administrator may publish it.').waitFor()
  const publisher = await signedIn(world, 'viktor', 'administration/policy')
  const { page } = publisher
  await draft(page).getByRole('button', { name: 'Publish' }).click()
  const signing = page.getByRole('dialog')
  await signing.getByLabel('Reason', { exact: true }).fill('nothing is paused by a call')
  await signing.getByRole('button', { name: 'Show what will happen' }).click()
  await signing.getByText(/^Publish approval policy 2: added no_pauses/).first().waitFor()
  await signing.getByRole('button', { name: 'Sign with the wallet' }).click()
  await publisher.confirm()
  await signing.waitFor({ state: 'hidden' })
  await page.getByRole('region', { name: 'Versions' }).getByText('nothing is paused by a call').waitFor()
  await page.getByLabel('Call', { exact: true }).fill('Vault.pause')
  await page.getByRole('button', { name: 'Try it' }).click()
  await page.getByRole('status').getByText(/rule no_pauses blocks/).waitFor()
}

export const STORIES = {
  drillIsFollowedToItsEnd, // first: a fund that comes into an emergency has no drills
  viewerIsOfferedNoAction,
  redemptionIsApprovedAndSettled,
  redemptionIsRejected,
  sessionEndsInMidForm,
  approverLosesTheRole,
  walletIsOnAnotherNetwork,
  transactionIsSpedUpAndAnotherCancelled,
  twoApproversDecideAtOnce,
  operatorSettlesByAClick,
  operatorResolvesARiskEvent,
  priceIsNotTrustedForAWhile,
  operatorRunsAStressScenario,
  emergencyRequestIsApproved,
  operatorRebalancesWithOwnTargets,
  superAdminChangesThePeople,
  adminNamesAStandInAndEndsIt,
  reportIsReadAndItsFilesAreVerified,
  messagesAreTestedAndSentAgain,
  answerOfAnotherVersionIsNoDeadEnd,
  keyboardIsEnough,
  addressesHaveNamesAndLeadToTheExplorer,
  walletIsChosenFromSeveralOnAPhone,
  clockOfTheReaderIsWrong,
  policyIsDraftedAndPublishedByAnother,
  filtersAreInTheAddress,
  apiAndRedisStopAndReturn,
  messagesStopWhileTheApiAnswers,
  nodeStopsAndReturns,
  screensAreAccessible,
  detailPagesAreAccessible,
  phoneShowsEveryScreen,
  chineseReaderSeesChinese,
}
