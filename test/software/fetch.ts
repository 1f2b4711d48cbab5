/** `npm run test:setup` ends with this: fetches Debian's programs for test/software.test.ts. */
import { fetchRoot, missingRoots } from './roots.js'

for (const name of missingRoots()) {
  console.log(`fetching Debian's programs for riscv64: ${name}`)
  fetchRoot(name)
}
