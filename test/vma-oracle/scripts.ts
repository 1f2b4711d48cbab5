/**
 * Scripts for vmaoracle.c, made by generate.ts from a seed, and what the real kernel answered to them (test/references/vma).
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generate } from './generate.js'

const here = fileURLToPath(new URL('.', import.meta.url))
const folder = join(here, '..', 'references', 'vma')
const regressions = join(here, '..', 'vma-oracle', 'regressions')

/** A line about the program itself: what an execve makes of it. */
export const WITHOUT_HART = /^exec/

export type Policy = 'fixed' | 'top' | 'bottom'

export interface Script {
  /** Of one that a person wrote (the folder regressions); the others are made from their seed. */
  readonly name?: string
  readonly seed: number
  readonly ops: number
  readonly policy: Policy
  /** Of the window: the fewer, the more operations meet. */
  readonly pages: number
  /** Its log is held against the calls, without a hart. */
  readonly isReplayed?: boolean
  /** About huge pages. */
  readonly huge?: boolean
  /** Lines that are left out. */
  readonly without?: RegExp
  /** Only the lines as far as this operation. */
  readonly upTo?: number
  /** The lines themselves, instead of those made from the seed. */
  readonly text?: string
}

/** Recorded, and replayed by the whole program. Where the kernel chooses addresses (top, bottom) they are scripts that let it. */
export const SCRIPTS: readonly Script[] = [
  { seed: 1, ops: 1500, policy: 'fixed', pages: 4096 },
  { seed: 2, ops: 1500, policy: 'top', pages: 4096 },
  { seed: 3, ops: 1500, policy: 'bottom', pages: 4096 },
  { seed: 4, ops: 1500, policy: 'fixed', pages: 256 },
  { seed: 5, ops: 1500, policy: 'top', pages: 512 },
  { seed: 6, ops: 1500, policy: 'bottom', pages: 256 },
  { seed: 7, ops: 1000, policy: 'fixed', pages: 4096, huge: true },
  { seed: 8, ops: 1000, policy: 'top', pages: 8192, huge: true },
]

/** Recorded, and replayed without a hart (in-process/replay.ts): more of them, but without what stands above the memory manager. */
export const CALLS: readonly Script[] = [
  { seed: 101, ops: 6000, policy: 'fixed', pages: 256 },
  { seed: 102, ops: 6000, policy: 'top', pages: 512 },
  { seed: 103, ops: 6000, policy: 'bottom', pages: 128 },
  { seed: 104, ops: 6000, policy: 'top', pages: 4096 },
  { seed: 105, ops: 6000, policy: 'bottom', pages: 8192, huge: true },
].map((script) => ({ ...(script as Script), without: WITHOUT_HART, isReplayed: true }))

/** vmaoracle prints a hash of so many lines, so that a log is small. */
export const CONDENSED = 64

/** What has once been answered wrong, each a few lines. A line of them may say where the window lies: "# window POLICY PAGES". */
export const REGRESSIONS: readonly Script[] = readdirSync(regressions).map((file) => {
  const name = file.replace('.txt', '')
  const [, policy = 'fixed', pages = '2048'] = /^# window (\S+) (\d+)$/m.exec(regressionText(name)) ?? []
  return { name, seed: 0, ops: 0, policy: policy as Policy, pages: Number(pages) }
})

function regressionText(name: string): string {
  return readFileSync(join(regressions, `${name}.txt`), 'utf8')
}

export function scriptText(script: Script): string {
  const { name, seed, ops, policy, pages, huge = false, without, upTo } = script
  if (script.text !== undefined) return script.text
  const text =
    name === undefined ? generate({ seed, ops, pages, free: policy !== 'fixed', huge }) : regressionText(name)
  const kept = text.split('\n').filter((line) => !without?.test(line))
  if (upTo === undefined) return kept.join('\n')
  const cut = kept.slice(0, upTo)
  return `${[...cut, ...openChildren(cut)].join('\n')}\n`
}

/** The ends of the children that lines leave open. */
function openChildren(lines: readonly string[]): string[] {
  const open = lines.filter((line) => line === 'fork').length - lines.filter((line) => line === 'exit').length
  return Array<string>(open).fill('exit')
}

/** The command line of vmaoracle for it. */
export const oracleArguments = ({ policy, pages }: Script) => ['-p', policy, '-n', `${pages}`]

export const scriptHash = (script: Script) =>
  createHash('sha256').update(scriptText(script)).digest('hex').slice(0, 16)

export interface Log {
  readonly kernel: string
  /** What the program had mapped when the script began: limits count it. */
  readonly ownPages: number
  readonly scriptHash: string
  /** Without the first line, which names the kernel. */
  readonly lines: readonly string[]
  /** Memory ran out, and the OOM killer took the program: the log ends somewhere before that. */
  readonly isKilled: boolean
}

/** What vmaoracle printed, as a log. */
export function parseLog(script: Script, output: string, isKilled = false): Log {
  const [head, ...lines] = output.trimEnd().split('\n')
  const kernel = /Linux (\S+)/.exec(head ?? '')?.[1] ?? 'unknown'
  const ownPages = Number(/own (\d+)/.exec(head ?? '')?.[1])
  return { kernel, ownPages, scriptHash: scriptHash(script), lines, isKilled }
}

/** What a script is called. */
export const nameOf = ({ name, seed, policy, isReplayed }: Script) =>
  name ?? `${isReplayed ? 'calls-' : ''}${policy}-${seed}`

const logPath = (script: Script) => join(folder, `${nameOf(script)}.txt`)

/** How the log of a script is printed: in full for those that a person wrote. */
export const logOptions = ({ name }: Script) => (name === undefined ? ['-c', `${CONDENSED}`] : [])

export function readLog(script: Script): Log | undefined {
  const path = logPath(script)
  if (!existsSync(path)) return undefined
  const [head, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const [, kernel, hash, own] = /^# Linux (\S+), script (\S+), own (\d+)/.exec(head!)!
  return { kernel: kernel!, ownPages: Number(own), scriptHash: hash!, lines, isKilled: false }
}

export function writeLog(script: Script, { kernel, ownPages, scriptHash, lines, isKilled }: Log): void {
  if (isKilled) throw new Error(`${nameOf(script)}: a script that runs out of memory is not recorded`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    logPath(script),
    `# Linux ${kernel}, script ${scriptHash}, own ${ownPages} pages\n${lines.join('\n')}\n`,
  )
}

export interface Difference {
  /** The operation of the script. */
  readonly operation: string
  readonly linux: string
  readonly ours: string
}

/** Lines on which two logs of one script differ. */
export function compareLogs(script: Script, linux: Log, ours: Log): Difference[] {
  const operations = scriptText(script)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (linux.isKilled !== ours.isKilled)
    return [{ operation: 'the OOM killer', linux: `${linux.isKilled}`, ours: `${ours.isKilled}` }]
  const count = linux.isKilled ? linux.lines.length : Math.max(linux.lines.length, ours.lines.length)
  return Array.from({ length: count }, (_, i) => {
    const [line, own] = [linux.lines[i] ?? '', ours.lines[i] ?? '']
    return { operation: operations[Number.parseInt(line || own, 10) - 1] ?? '', linux: line, ours: own }
  }).filter((line) => line.linux !== line.ours)
}
