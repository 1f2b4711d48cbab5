/** `pagoda boot`: a machine is booted and checked, and says how. */
import { Riscv64Sv39 } from '../arch/riscv64/sv39.js'
import { Riscv64Sv48, Riscv64Sv57 } from '../arch/riscv64/sv48-sv57.js'
import { PAGE_SIZE } from '../base/numbers.js'
import { type BootEntry, BootMemoryMap } from '../frame/boot-memory-map.js'
import { type BootFact, type BootStep, type MemoryManager, mmInit } from '../mm.js'
import { grouped } from './grouped.js'
import { say } from './say.js'
import { formatSize, parseSize } from './size.js'
import { style } from './style.js'

const ARCHS = { sv39: Riscv64Sv39, sv48: Riscv64Sv48, sv57: Riscv64Sv57 } as const
export const PAGING_MODES = Object.keys(ARCHS)

/** A range of RAM in bytes, counted from its start. */
export type BootRange = Omit<BootEntry, 'kind'>

export interface BootOptions {
  readonly memory: number
  readonly harts: number
  readonly paging: keyof typeof ARCHS
  readonly usable?: readonly BootRange[]
  readonly reserve?: readonly BootRange[]
  readonly unmapped?: readonly BootRange[]
  readonly low?: number
  readonly verbose?: boolean
  readonly json?: boolean
}

/** `START:SIZE`; undefined when it is none. */
export function parseRange(text: string): BootRange | undefined {
  const [start, size, ...rest] = text.split(':').map(parseNumber)
  if (start === undefined || size === undefined || rest.length > 0) return undefined
  return { start, bytes: size }
}

/** A size as of parseSize, or hexadecimal. */
function parseNumber(text: string): number | undefined {
  return /^0x[0-9a-f]+$/i.test(text) ? Number(text) : parseSize(text)
}

/** Throws an ErrnoError that says which line of the map is wrong, and why. */
function memoryMap({ memory, usable, reserve = [], unmapped = [] }: BootOptions): BootMemoryMap {
  const of = (kind: BootEntry['kind'], ranges: readonly BootRange[]) =>
    ranges.map((range) => ({ ...range, kind }))
  const entries = [
    ...of('usable', usable ?? [{ start: 0, bytes: memory }]),
    ...of('reserved', reserve),
    ...of('noMap', unmapped),
  ]
  return BootMemoryMap.fromEntries(memory / PAGE_SIZE, entries)
}

function factText({ what, value }: BootFact): string {
  if (typeof value === 'string') return `  ${what.padEnd(36)}  ${value}`
  return `  ${what.padEnd(36)}  ${what.endsWith('bytes') ? formatSize(value) : grouped(value)}`
}

function stepText({ name, facts }: BootStep): string {
  return `${[style('bold', name, 1), ...facts.map(factText)].join('\n')}\n`
}

function stepJson({ name, facts }: BootStep) {
  return { name, facts: Object.fromEntries(facts.map(({ what, value }) => [what, value])) }
}

function summary({ buddy, memory }: MemoryManager): string {
  const { total, free } = buddy.stats()
  const size = (frames: number) => formatSize(frames * PAGE_SIZE)
  return `pagoda: booted: ${size(free)} of ${formatSize(memory.bytes)} are free, the kernel has ${size(total - free)} of its own; all checks pass\n`
}

/** Boots, checks every invariant, and prints what was asked for on standard output; the exit code. */
export function boot(options: BootOptions): number {
  const steps: BootStep[] = []
  const tellsAtOnce = options.verbose && !options.json
  const mm = mmInit({
    bytes: options.memory,
    harts: options.harts,
    arch: new ARCHS[options.paging](),
    map: memoryMap(options),
    ...(options.low === undefined ? {} : { lowFrames: Math.floor(options.low / PAGE_SIZE) }),
    onBootStep: (step) => {
      steps.push(step)
      if (tellsAtOnce) say(stepText(step), 1)
    },
  })
  mm.check()
  if (options.json) {
    const frames = mm.buddy.stats()
    say(`${JSON.stringify({ pagoda: PAGODA_VERSION, steps: steps.map(stepJson), frames }, null, 2)}\n`, 1)
  } else say(summary(mm), 1)
  return 0
}
