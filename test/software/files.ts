/** The files of ours that a case needs in the guest: /scripts/NAME is scripts/NAME, /programs/NAME is built. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DIRECTORY, ENVIRONMENT, type SoftwareCase } from './cases.js'
import { buildProgram, isProgram, programSource } from './programs.js'

const scriptUrl = (name: string) => new URL(`scripts/${name}`, import.meta.url)

/** What a text names of ours, and what the scripts that it names do; by path in the guest. */
function collect(text: string, found: Map<string, { path: () => string; source: string }>): void {
  for (const [guest, folder, name] of text.matchAll(/\/(scripts|programs)\/([\w.-]*\w)/g)) {
    if (found.has(guest)) continue
    if (folder === 'scripts') {
      const source = readFileSync(scriptUrl(name!), 'utf8')
      found.set(guest, { path: () => fileURLToPath(scriptUrl(name!)), source })
      collect(source, found)
    } else if (isProgram(name!)) {
      found.set(guest, { path: () => buildProgram(name), source: programSource(name) })
    } else throw new Error(`there is no program ${name}`)
  }
}

function ours({ argv, input = '' }: SoftwareCase) {
  const found = new Map<string, { path: () => string; source: string }>()
  collect([...argv, input].join('\n'), found)
  return found
}

/** Paths on this machine by path in the guest. */
export function filesOf(test: SoftwareCase): Map<string, string> {
  return new Map([...ours(test)].map(([guest, { path }]) => [guest, path()]))
}

/** Of all that the case is made of but Debian's packages: what a recorded reference is tied to. */
export function hashOf(test: SoftwareCase): string {
  const hash = createHash('sha256')
  hash.update(JSON.stringify([test.argv, test.env, test.input, ENVIRONMENT, DIRECTORY]))
  for (const { source } of ours(test).values()) hash.update(source)
  return hash.digest('hex').slice(0, 16)
}
