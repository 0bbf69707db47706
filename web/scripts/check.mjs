// Types, lint, unit tests and budgets of the console, unless they passed on these sources already.
import { join } from 'node:path'
import { generateTypes, install, isUpToDate, run, sourcesHash, WEB, writeStamp } from './sources.mjs'

const stamp = join(WEB, 'node_modules', '.checked')
const hash = sourcesHash()
if (!isUpToDate(stamp, hash)) {
  install()
  generateTypes()
  run('node_modules/.bin/tsc')
  run('node_modules/.bin/eslint', '--max-warnings', '0', '--cache', '--cache-location', 'node_modules/.cache/eslint', '.')
  run('node_modules/.bin/vitest', 'run', '--reporter', 'dot')
  run(process.execPath, 'scripts/build.mjs')
  run(process.execPath, 'scripts/budgets.mjs')
  writeStamp(stamp, hash)
}
