import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the real kernel did: written by record.ts. */
export const REFERENCE = join(fileURLToPath(new URL('..', import.meta.url)), 'references', 'dynamic.json')

export interface Reference {
  readonly sourceHash: string
  readonly runs: readonly Run[]
}

export interface Run {
  readonly command: string
  /** As wait4(2) has it, or 100000 + errno of execve(2). */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}
