#!/usr/bin/env node
import { existsSync } from 'node:fs'

const bundle = new URL('../dist/cli.js', import.meta.url)
if (!existsSync(bundle)) {
  console.error('pagoda: not built yet: run `npm ci` or `npm run build` in the project folder')
  process.exit(125)
}
const { main } = await import(bundle.href)
await main(process.argv)
