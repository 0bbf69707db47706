// Refuse a console that is larger than its budgets. Sizes are compressed (brotli), as they travel.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BUILT } from './sources.mjs'

const KB = 1000
const FIRST_SCRIPT_MAX = 300 * KB
const FIRST_STYLE_MAX = 60 * KB
const LAZY_MAX = 210 * KB

const manifest = JSON.parse(readFileSync(join(BUILT, 'manifest.json'), 'utf8'))
const sizeOf = (file) => statSync(join(BUILT, `${file}.br`)).size

/** The chunk and all that is loaded with it at once. */
function loadedWith(key, seen = new Set()) {
  if (!seen.has(key)) {
    seen.add(key)
    for (const imported of manifest[key].imports ?? []) loadedWith(imported, seen)
  }
  return seen
}

function sizes(keys) {
  const chunks = [...keys].map((key) => manifest[key])
  const script = chunks.reduce((sum, chunk) => sum + sizeOf(chunk.file), 0)
  const styles = new Set(chunks.flatMap((chunk) => chunk.css ?? []))
  return { script, style: [...styles].reduce((sum, file) => sum + sizeOf(file), 0) }
}

/** The chunks that the page itself loads. */
function pageChunks() {
  const page = readFileSync(join(BUILT, 'index.html'), 'utf8')
  const files = [...page.matchAll(/(?:src|href)="\/console\/([^"]+\.js)"/g)].map(([, file]) => file)
  return Object.keys(manifest).filter((key) => files.includes(manifest[key].file))
}

const shell = new Set()
for (const key of pageChunks()) loadedWith(key, shell)
const first = new Set(shell)
loadedWith('src/overview/OverviewPage.tsx', first) // what the first screen loads besides the shell
const { script, style } = sizes(first)
const problems = []
if (script > FIRST_SCRIPT_MAX) problems.push(`the first screen loads ${script} bytes of script, ${FIRST_SCRIPT_MAX} are allowed`)
if (style > FIRST_STYLE_MAX) problems.push(`the first screen loads ${style} bytes of style sheets, ${FIRST_STYLE_MAX} are allowed`)
for (const [key, chunk] of Object.entries(manifest)) {
  if (chunk.isDynamicEntry) {
    const more = [...loadedWith(key)].filter((name) => !shell.has(name))
    const lazy = sizes(more).script
    if (lazy > LAZY_MAX) problems.push(`${key} loads ${lazy} bytes of script, ${LAZY_MAX} are allowed`)
  }
}
console.log(`· the console's first screen: ${(script / KB).toFixed(0)} of 300 kB script, ${(style / KB).toFixed(0)} of 60 kB style`)
if (problems.length) {
  console.error(problems.join('\n'))
  process.exit(1)
}
