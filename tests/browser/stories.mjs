// What people do in the console, each as clicks in a real browser against the whole stack.
import assert from 'node:assert/strict'
import { Person } from './browser.mjs'

const SLOW = { timeout: 60_000 }

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

async function filtersAreInTheAddress(world) {
  const { page } = await signedIn(world, 'otto', 'redemptions?status=SETTLED')
  await page.getByLabel('Channel').selectOption('EMERGENCY')
  await page.getByText('No requests match.').waitFor()
  assert.match(page.url(), /status=SETTLED/)
  assert.match(page.url(), /channel=EMERGENCY/)
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

/** A plan too large for the hot key: two owners of the warm Safe sign what it previewed, and then the fund holds what it buys. */
async function twoOwnersSignAPlan(world) {
  const { safeTxHash, hashCard } = await world.act('plan', { name: 'otto', symbols: ['MMFA', 'MMFB'], usdt: 30_000 })
  const before = await world.act('held', { symbol: 'MMFA' })
  const vera = await signedIn(world, 'vera', 'transactions')
  await vera.page.getByRole('region', { name: 'Safe transactions' }).getByRole('link', { name: /purchaseAsset/ }).first().click(SLOW)
  await signAsOwner(vera, hashCard)
  await vera.page.getByText('You have signed.').waitFor(SLOW)
  await vera.page.getByText('Signatures: 1 of 2').waitFor()
  await vera.page.getByText('It is sent when enough owners have signed.').waitFor()
  const viktor = await signedIn(world, 'viktor', `transactions/proposals/${safeTxHash}`)
  await signAsOwner(viktor, hashCard)
  // Both follow it to the chain without loading the page again.
  for (const { page } of [viktor, vera]) await state(page, 'Executed').waitFor(SLOW)
  assert.ok(BigInt(await world.act('held', { symbol: 'MMFA' })) > BigInt(before), 'the fund holds more of what the plan buys')
}

/** Sign a Safe transaction that is open on the page, after a look at the hashes that the browser computes. */
async function signAsOwner(owner, hashCard) {
  const { page } = owner
  await page.getByText('This is a MultiSend, run by DELEGATECALL.').waitFor(SLOW)
  await page.getByRole('button', { name: 'Sign as owner' }).click()
  const dialog = page.getByRole('dialog')
  const shownHashes = await dialog.getByLabel('Hashes to compare').locator('dd').allInnerTexts()
  assert.deepEqual(shownHashes.map((hash) => hash.trim()), [hashCard.domainHash, hashCard.messageHash, hashCard.safeTxHash])
  await owner.requireAccessible('signing for a Safe')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await owner.confirm()
  await dialog.waitFor({ state: 'hidden' })
}

const SCREENS = [
  ['', 'Overview'],
  ['redemptions', 'Redemptions'],
  ['approvals', 'Approvals'],
  ['risk', 'Risk'],
  ['nav', 'NAV'],
  ['assets', 'Assets'],
  ['transactions', 'Transactions'],
  ['system', 'System'],
  ['administration', 'Administration'],
]

/** Every screen in both themes and on a phone: nothing for axe to find, nothing wider than the screen, and its picture. */
async function screensAreAccessible(world) {
  for (const theme of ['light', 'dark']) {
    const person = await newPerson(world, { theme })
    await person.visit()
    await person.page.getByRole('button', { name: /Demo wallet/ }).waitFor()
    await person.requireAccessible(`sign-in, ${theme}`)
    await person.signIn('vera')
    for (const [path, title] of SCREENS) {
      await person.visit(path)
      await heading(person.page, title).waitFor()
      await person.page.waitForLoadState('networkidle')
      await person.requireAccessible(`${title}, ${theme}`)
      if (theme === 'light') await person.page.screenshot({ path: `${world.pictures}/console-${title.toLowerCase()}.png` })
    }
  }
}

/** Every page of one thing, in both themes. */
async function detailPagesAreAccessible(world) {
  const pages = await world.act('details', { name: 'ivan', shares: 106_000 })
  for (const theme of ['light', 'dark']) {
    const person = await signedIn(world, 'vera', '', { theme })
    for (const path of pages) {
      await person.visit(path)
      await person.page.locator('main h1').waitFor()
      await person.page.waitForLoadState('networkidle')
      await person.requireAccessible(`${path.replace(/[^/]*$/, '…')}, ${theme}`)
    }
  }
}

async function phoneShowsEveryScreen(world) {
  const { page } = await signedIn(world, 'vera', '', { width: 390, height: 844 })
  for (const [path, title] of SCREENS) {
    await world.people.at(-1).visit(path)
    await heading(page, title).waitFor()
    const [inner, scrolled] = await page.evaluate(() => [window.innerWidth, document.documentElement.scrollWidth])
    assert.ok(scrolled <= inner, `${title} is ${scrolled} wide on a screen of ${inner}`)
  }
}

async function chineseReaderSeesChinese(world) {
  const { page } = await signedIn(world, 'vera', '', { language: 'zh-CN' })
  await heading(page, '总览').waitFor()
  assert.equal(await page.locator('html').getAttribute('lang'), 'zh-CN')
  await page.getByText('EN', { exact: true }).click()
  await heading(page, 'Overview').waitFor()
}

/** The session ends while a reason is half written: the person signs in again over the page, and the reason is still there. */
async function sessionEndsInMidForm(world) {
  const { ticketId } = await world.act('request', { name: 'inga', shares: 105_000 })
  const vera = await signedIn(world, 'vera', `approvals/${ticketId}`)
  const { page } = vera
  await page.getByRole('button', { name: 'Reject' }).click()
  await page.getByLabel('Reason', { exact: true }).fill('half a reason')
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
  await page.getByRole('button', { name: 'Approve' }).waitFor({ state: 'detached', timeout: 90_000 })
  await page.getByText(/^Not offered: /).waitFor()
  await world.act('setApprover', { name: 'viktor', holds: true })
  await page.getByRole('button', { name: 'Approve' }).waitFor({ timeout: 90_000 })
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

/** The node hangs while the page is open: the page says so, and shows by itself that it answers again. */
async function nodeStopsAndReturns(world) {
  const { page } = await signedIn(world, 'otto', 'system')
  const components = page.getByRole('region', { name: 'Components' })
  await components.getByText(/^head is \d+/).waitFor(SLOW)
  await world.act('pause', { process: 'chain' })
  await components.getByText(/^does not answer/).first().waitFor(SLOW)
  await world.act('continue', { process: 'chain' })
  await components.getByText(/^head is \d+/).waitFor(SLOW)
  const { requestId } = await world.act('request', { name: 'ilja', shares: 103_000 })
  await page.getByRole('link', { name: 'Overview' }).first().click()
  await page.getByRole('link', { name: `#${requestId}` }).first().waitFor(SLOW)
}

/** A transaction waits in the pool of a chain that makes no blocks: it is sped up, and another is cancelled. */
async function transactionIsSpedUpAndAnotherCancelled(world) {
  const { ticketId } = await world.act('request', { name: 'isla', shares: 104_000 })
  const vera = await signedIn(world, 'vera', `approvals/${ticketId}`)
  const { page } = vera
  await world.act('setMining', { isOn: false })
  await page.getByRole('button', { name: 'Approve' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
  await vera.confirm()
  await dialog.waitFor({ state: 'hidden' })
  await page.getByRole('link', { name: /Approve on chain/ }).first().click(SLOW)
  for (const name of ['Speed up', 'Cancel it']) {
    await page.getByRole('button', { name }).click(SLOW)
    await dialog.getByLabel('Reason').fill('it waits for too long')
    await dialog.getByRole('button', { name: 'Show what will happen' }).click()
    await dialog.getByRole('button', { name: 'Sign with the wallet' }).click()
    await vera.confirm()
    await dialog.waitFor({ state: 'hidden' })
  }
  await world.act('setMining', { isOn: true })
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
  await dialog.getByLabel('Wallet').fill('0x00000000000000000000000000000000000a11ce')
  await dialog.getByLabel('Name').fill('Nadia')
  await dialog.getByText('Rights other than the role’s').click()
  await dialog.getByLabel('settle a due redemption').selectOption('granted')
  await sign(/\(Nadia\) sign in as viewer, with settle/)
  await row.getByText('settle', { exact: true }).waitFor()
  await row.getByRole('button', { name: 'Change' }).click()
  await dialog.getByLabel('Role').selectOption('operator')
  await sign(/\(Nadia\) sign in as operator/)
  await row.getByText('operator', { exact: true }).waitFor()
  await row.getByRole('button', { name: 'Remove' }).click()
  await sign(/^Remove 0x/)
  await row.waitFor({ state: 'detached' })
}

export const STORIES = {
  viewerIsOfferedNoAction,
  redemptionIsApprovedAndSettled,
  redemptionIsRejected,
  sessionEndsInMidForm,
  approverLosesTheRole,
  walletIsOnAnotherNetwork,
  transactionIsSpedUpAndAnotherCancelled,
  twoApproversDecideAtOnce,
  operatorResolvesARiskEvent,
  twoOwnersSignAPlan,
  superAdminChangesThePeople,
  filtersAreInTheAddress,
  apiAndRedisStopAndReturn,
  nodeStopsAndReturns,
  screensAreAccessible,
  detailPagesAreAccessible,
  phoneShowsEveryScreen,
  chineseReaderSeesChinese,
}
