import { fileURLToPath } from 'node:url'
import { Constants, constMembers } from './const-members.mjs'
import { inlineCalls } from './inline-calls.mjs'
import { plainMembers } from './plain-members.mjs'

const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))

/** Reads all sources, and so is made once. */
const constants = new Constants(path('src'))
const putConstantsIn = constMembers(constants)

/** For the command: nobody else has subclasses of what is in it. */
export const putCallsIn = inlineCalls([path('src/cli/main.ts')], path('tsconfig.json'), constants)

/** What makes of the sources what is bundled. */
export const plugins = [putConstantsIn, plainMembers]

/**
 * How everything of ours is bundled. The bundler must leave `const` at the top of a module what it is: V8 takes the value of
 * a const for granted in compiled code, while it loads and checks a `var` each time. (esbuild makes them `var`: measured
 * 15 to 25 per cent more time for a system call, a page fault or a frame.)
 */
export function bundling(version) {
  return {
    plugins,
    optimization: { inlineConst: true },
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
    transform: { target: 'es2022', define: { PAGODA_VERSION: JSON.stringify(version) } },
  }
}

/** What stays outside the bundles: Node's own modules. */
export const isExternal = (id, importer) => id.startsWith('node:') && !isLate(id, importer)

/** Commander asks for node:child_process, and so for all of node:net, for the sake of subcommands that are programs of their own. */
const isLate = (id, importer) => id === 'node:child_process' && importer?.includes('/commander/')

const LATE = '\0late-child-process'

/** Loads that when it is called, which takes 5 ms off the start. */
export const lateChildProcess = {
  name: 'late-child-process',
  resolveId: (id, importer) => (isLate(id, importer) ? LATE : null),
  load: (id) =>
    id === LATE
      ? "module.exports = { spawn: (...args) => process.getBuiltinModule('node:child_process').spawn(...args) }"
      : null,
}
