#!/usr/bin/env node
const { existsSync } = require('node:fs')
const { commandFile, loadCommand } = require('./load-command.js')

if (!existsSync(commandFile)) {
  console.error('pagoda: not built yet: run `npm ci` or `npm run build` in the project folder')
  process.exit(125)
}
const { exports: command, build, parts } = loadCommand()
command.tuneEngine() // not before: V8 takes no code cache that was made with other settings
command.main(process.argv, command.builtIn(parts, build))
