/**
 * Most command lines are `run`, some options with their values, and a program. Those are read here; of all others Commander says what they are or what is wrong
 * with them (command-line.ts). To make it and ask it takes a start 1 ms, and its code would be a fourteenth of what is read.
 */
import { RUN_OPTIONS, type RunOption, type RunOptions } from './run-options.js'

export interface PlainRun {
  readonly program: string
  readonly args: readonly string[]
  readonly options: RunOptions
}

/** What the command line asks for; nothing when it is not for here. */
export function plainRun([, , command, ...words]: readonly string[]): PlainRun | undefined {
  if (command !== 'run') return undefined
  const values: Record<string, unknown> = {}
  for (const { key, otherwise } of RUN_OPTIONS) if (otherwise !== undefined) values[key] = otherwise
  let at = 0
  for (; words[at]?.startsWith('-'); at++) {
    const option = RUN_OPTIONS.find(({ flags }) => nameOf(flags) === words[at])
    if (option === undefined) return undefined
    const takes = option.flags.endsWith('>')
    if (takes) at++
    if (!setValue(values, option, takes ? words[at] : '')) return undefined
  }
  const [program, ...args] = words.slice(at)
  return program === undefined ? undefined : { program, args, options: values as unknown as RunOptions }
}

function nameOf(flags: string): string {
  const end = flags.indexOf(' ')
  return end < 0 ? flags : flags.slice(0, end)
}

/** Whether the text is a right one. */
function setValue(values: Record<string, unknown>, option: RunOption, text: string | undefined): boolean {
  const { key, flags, parse, choices } = option
  if (text === undefined || choices?.includes(text) === false) return false
  if (!flags.endsWith('>')) values[key] = !flags.startsWith('--no-')
  else if (parse === undefined) values[key] = text
  else {
    try {
      values[key] = parse(text, values[key] as never)
    } catch {
      return false
    }
  }
  return true
}
