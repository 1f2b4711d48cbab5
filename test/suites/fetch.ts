/** `npm run test:setup` ends with this: fetches and builds the suites for test/suites.test.ts. */
import { buildSuite, missingSuites } from './sources.js'

for (const suite of missingSuites()) {
  console.log(`fetching and building ${suite}`)
  buildSuite(suite)
}
