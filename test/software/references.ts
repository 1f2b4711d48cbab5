/** What the cases print on the real kernel: a JSON file each in test/references/software, by `npm run record:software`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SoftwareCase } from './cases.js'

export interface Outcome {
  /** Exit code, or 128 + N for a signal. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface SoftwareReference extends Outcome {
  readonly kernel: string
  /** Of the case, its scripts and programs. */
  readonly caseHash: string
  /** Of Debian's packages in the root. */
  readonly packagesHash: string
}

function pathOf({ name }: SoftwareCase): string {
  return fileURLToPath(new URL(`../references/software/${name.replace('/', '.')}.json`, import.meta.url))
}

export function readReference(test: SoftwareCase): SoftwareReference | undefined {
  const path = pathOf(test)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as SoftwareReference) : undefined
}

export function writeReference(test: SoftwareCase, reference: SoftwareReference): void {
  const path = pathOf(test)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(reference, null, 1)}\n`)
}
