// Measure the console on a running stack whose fund has many redemptions: `node measure.mjs URL` prints the figures as JSON.
import { launch, Person } from './browser.mjs'

const RUNS = 7
const TURNS = 30
const WIDE = { width: 1440, height: 900 }

const sorted = (values) => [...values].sort((one, other) => one - other)
const quantile = (values, part) => sorted(values)[Math.min(Math.floor(values.length * part), values.length - 1)]

/** Load a page again and again; the median of milliseconds until an element of it is there. */
async function usable(person, path, selector) {
  const times = []
  for (let run = 0; run < RUNS; run += 1) {
    await person.visit(path)
    await person.page.locator(selector).first().waitFor()
    times.push(await person.page.evaluate(() => performance.now()))
  }
  return quantile(times, 0.5)
}

/** Turn pages of the list and scroll. Returns the milliseconds of each turn, and those between the frames. */
async function turnPages(page) {
  return page.evaluate(async (turns) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const frames = []
    let isRunning = true
    const watch = async () => {
      for (let last = await frame(); isRunning; ) {
        const now = await frame()
        frames.push(now - last)
        last = now
      }
    }
    void watch()
    const first = () => document.querySelector('main tbody tr')?.textContent
    const next = () => [...document.querySelectorAll('main nav button')].at(-1)
    const times = []
    for (let turn = 0; turn < turns; turn += 1) {
      const before = first()
      const began = performance.now()
      next().click()
      while (first() === before) await frame()
      times.push(performance.now() - began)
      for (let at = 0; at <= 600; at += 60) {
        window.scrollTo(0, at)
        await frame()
      }
    }
    isRunning = false
    return { times, frames }
  }, TURNS)
}

const browser = await launch()
const person = await Person.open(browser, process.argv[2], WIDE)
await person.signIn('willa')
const overview = await usable(person, '', 'main [class*=tileValue] [class*=number]')
const redemptions = await usable(person, 'redemptions', 'main tbody tr')
const script = await person.page.evaluate(() =>
  performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js') && !name.includes('/demo/')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
)
const { times, frames } = await turnPages(person.page)
await person.close()
await browser.close()
console.log(
  JSON.stringify({
    'overview.usable_ms': overview,
    'redemptions.usable_ms': redemptions,
    'redemptions.page_ms': quantile(times, 0.95),
    'redemptions.frame_ms': quantile(frames, 0.95),
    first_screen_kb: script / 1000,
  }),
)
process.exit(0)
