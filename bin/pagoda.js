#!/usr/bin/env node
import { existsSync } from 'node:fs'
import { commandFile, loadCommand } from './load-command.js'

if (!existsSync(commandFile)) {
  console.error('pagoda: not built yet: run `npm ci` or `npm run build` in the project folder')
  process.exit(125)
}
const { main } = (await loadCommand()).exports
await main(process.argv)
