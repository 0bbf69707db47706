// A real Chromium, and the pages of one person in it.
import chromium from '@sparticuz/chromium'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { chromium as playwright } from 'playwright-core'

const SECONDS = 1000
const { resolve } = createRequire(import.meta.url)
const AXE = readFileSync(resolve('axe-core/axe.min.js'), 'utf8')
/** A machine may have no Chinese font, and then every picture would show boxes. */
const CHINESE_FONTS = ['400Regular', '700Bold'].map((weight) => join(dirname(resolve('@expo-google-fonts/noto-sans-sc/package.json')), weight))

/** Only `--no-sandbox`: the package's own arguments would run everything in one process, without web security. */
export async function launch() {
  const env = { ...process.env, FONTCONFIG_FILE: writeFontsFile() }
  return playwright.launch({ executablePath: await chromium.executablePath(), args: ['--no-sandbox'], env })
}

/** Name the system's fonts, if it has any, and those of the tests. Returns the path of the file. */
function writeFontsFile() {
  const folder = mkdtempSync(join(tmpdir(), 'paimon-fonts-'))
  const path = join(folder, 'fonts.conf')
  const folders = CHINESE_FONTS.map((fonts) => `<dir>${fonts}</dir>`).join('')
  writeFileSync(
    path,
    `<?xml version="1.0"?><fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>${folders}<cachedir>${folder}</cachedir></fontconfig>`,
  )
  return path
}

/** One person's browser: a context of its own, which fails on any violation of the Content-Security-Policy or error of a script. */
export class Person {
  constructor(context, page, url) {
    this.context = context
    this.page = page
    this.url = url
    this.faults = []
  }

  static async open(browser, url, { theme = 'light', width = 1280, height = 900, language = 'en-GB', timezone = 'Europe/Zurich' } = {}) {
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      locale: language,
      timezoneId: timezone,
      reducedMotion: 'reduce',
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const page = await context.newPage()
    page.setDefaultTimeout(90 * SECONDS)
    const person = new Person(context, page, url)
    await context.exposeBinding('reportViolation', (_source, text) => person.faults.push(text))
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        window.reportViolation(`${event.violatedDirective} refused ${event.blockedURI} ${event.sample} (${event.sourceFile}:${event.lineNumber})`),
      )
    })
    page.on('pageerror', (error) => person.faults.push(`a script failed: ${error.message}`))
    return person
  }

  /** Open a path of the console. */
  async visit(path = '') {
    await this.page.goto(`${this.url}/console/${path}`)
  }

  /** Go to a path of the console, without loading the page again, as its own links do; its title is another than the present one. */
  async go(path) {
    const title = this.page.locator('main h1')
    const before = await title.innerText()
    await this.page.evaluate((to) => window.history.pushState(null, '', to), `/console/${path}`)
    await title.filter({ hasNotText: before }).waitFor()
    await this.settled()
  }

  /** Wait until all that the page has asked for is shown. */
  async settled() {
    await this.page.locator('main [role=status][aria-label=Loading]').first().waitFor({ state: 'detached' })
  }

  /** Have the reader's device prefer light or dark colours. */
  async prefer(theme) {
    await this.page.emulateMedia({ colorScheme: theme })
    await this.page.locator(`html[data-mantine-color-scheme=${theme}]`).waitFor()
  }

  /** Sign in with the demo wallet, by clicks. */
  async signIn(name, path = '') {
    await this.visit(path)
    await this.page.getByRole('button', { name: /Demo wallet/ }).click()
    await this.wallet().getByRole('button', { name: new RegExp(`^${name} `) }).click()
    await this.page.getByRole('button', { name: /^(Sign in as|以)/ }).click()
    await this.confirm()
    await this.page.getByRole('navigation').first().waitFor()
  }

  wallet() {
    return this.page.locator('dialog.demo-wallet')
  }

  /** Sign what the wallet asks for. */
  async confirm() {
    await this.wallet().getByRole('button', { name: 'Sign', exact: true }).click()
  }

  async refuse() {
    await this.wallet().getByRole('button', { name: 'Refuse' }).click()
  }

  /** The fonts that the letters of an element are drawn with. */
  async fontsOf(selector) {
    const devtools = await this.context.newCDPSession(this.page)
    await devtools.send('DOM.enable')
    await devtools.send('CSS.enable')
    const { root } = await devtools.send('DOM.getDocument')
    const { nodeId } = await devtools.send('DOM.querySelector', { nodeId: root.nodeId, selector })
    const { fonts } = await devtools.send('CSS.getPlatformFontsForNode', { nodeId })
    return fonts.map(({ familyName }) => familyName)
  }

  /** Throw unless axe finds no violation on the page as it is. */
  async requireAccessible(what) {
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(AXE)
    const { violations } = await this.page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
    if (violations.length > 0) {
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html}\n      ${failureSummary}`).join('\n    ')}`)
      throw new Error(`${what} is not accessible:\n  ${found.join('\n  ')}`)
    }
  }

  /** The same in light and dark colours; the page is left in light ones. */
  async requireAccessibleInBothThemes(what) {
    for (const theme of ['dark', 'light']) {
      await this.prefer(theme)
      await this.requireAccessible(`${what}, ${theme}`)
    }
  }

  /** Close the browser of this person. Throws what its pages did that they should not. */
  async close() {
    await this.context.close()
    if (this.faults.length > 0) throw new Error(`faults of the page:\n  ${[...new Set(this.faults)].join('\n  ')}`)
  }
}
