// Build the console into the Python package, unless it was built from these sources already.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BUILT, generateTypes, install, isUpToDate, run, sourcesHash, writeStamp } from './sources.mjs'

const stamp = join(BUILT, 'sources.sha256')
const hash = sourcesHash()
if (!(isUpToDate(stamp, hash) && existsSync(join(BUILT, 'index.html')))) {
  install()
  console.log('· the console into src/paimon/gateway/rest/console/built')
  generateTypes()
  run('node_modules/.bin/vite', 'build', '--logLevel', 'warn')
  writeStamp(stamp, hash)
}
