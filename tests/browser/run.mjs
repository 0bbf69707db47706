// Run the stories on a running stack, one after another in one Chromium.
//
//     node run.mjs '{"url": …, "pictures": folder, "failures": folder, "only": [names] or null}'
//
// Standard output has one JSON object a line: {"story", "error"?} for each story that ended, and {"act", …} where a story asks for
// something outside of the browser; the answer comes as one line on standard input.
import { createInterface } from 'node:readline'
import { launch } from './browser.mjs'
import { STORIES } from './stories.mjs'

const { url, pictures, failures, only } = JSON.parse(process.argv[2])
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Have something done outside of the browser: a request of an investor, chain time moved, a process killed. */
async function act(name, values = {}) {
  say({ act: name, ...values })
  const { value } = await answers.next()
  const { result, error } = JSON.parse(value)
  if (error) throw new Error(`${name}: ${error}`)
  return result
}

const browser = await launch()
for (const [name, story] of Object.entries(STORIES)) {
  if (only && !only.includes(name)) continue
  const began = Date.now()
  const people = []
  try {
    await story({ browser, url, pictures, act, people })
    for (const person of people) await person.close()
    say({ story: name, seconds: (Date.now() - began) / 1000 })
  } catch (error) {
    const shown = await Promise.all(people.map(({ page }, index) => picture(page, `${failures}/failed-${name}-${index}.png`)))
    for (const person of people) await person.context.close().catch(() => {})
    say({ story: name, seconds: (Date.now() - began) / 1000, error: `${error.stack}\n${people.flatMap(({ faults }) => faults).join('\n')}\n${shown.join(' ')}` })
  }
}
await browser.close()
process.exit(0)

async function picture(page, path) {
  await page.screenshot({ path }).catch(() => {})
  return path
}
