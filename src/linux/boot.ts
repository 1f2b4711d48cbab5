/** A machine with Linux's world on it, in one call: what the command, the pages and most embedders start from. */
import { Hart, type HartOptions, TRANSLATE_THRESHOLD } from '../hart/hart.js'
import type { HartParts } from '../hart/hart-parts.js'
import type { KeptTranslations } from '../hart/translator/kept-translations.js'
import { type MemoryManager, mmInit } from '../mm.js'
import type { ClockMode } from './clock.js'
import { Files } from './fs/file-services.js'
import type { HostDirectory } from './fs/host-directory.js'
import type { Host } from './host.js'
import { Linux } from './linux.js'

export interface BootOptions {
  /** The guest's standard input, output and error. */
  readonly host: Host
  /** RAM in bytes: a multiple of 64 KiB, 8 MiB to 4 GiB. Default 256 MiB. */
  readonly memory?: number
  /** RAM in a SharedArrayBuffer. Default false: it works the same, on one thread. */
  readonly shared?: boolean
  /** RAM in a SharedArrayBuffer all the same: a short run takes less (boot/options.ts). Default: as `shared`. */
  readonly inSharedBuffer?: boolean
  /** Frames below this number are a zone of their own, DMA32. Default: there is one zone. */
  readonly lowFrames?: number | undefined
  /** For everything random in the machine. Default 1. */
  readonly seed?: number
  /** Programs are laid out at random, by the seed, as Linux does (kernel.randomize_va_space = 2). Default true; false is 0. */
  readonly aslr?: boolean
  /** Default virtual: time is counted in instructions, so that every run is the same. */
  readonly clock?: ClockMode
  /**
   * Folders of the host that make the guest's root, the uppermost first: read, never written; changes are kept in RAM. Default: a
   * small tree in RAM.
   */
  readonly root?: readonly HostDirectory[]
  /** Where the program starts. Default `/`. */
  readonly cwd?: string
  /** Whether code that is executed often is translated to WebAssembly: every run is the same, only faster. Default true. */
  readonly translate?: boolean
  /** How often a place must be come to before it is translated: 1 and up. Default 10,000, and more in a program that has just begun. */
  readonly translateThreshold?: number
  /** What its hart is made of, and other WebAssembly of the kernel's: `new KeptParts()` of pagoda/hart, given to all machines of a process, is made once for all. Default: made anew. */
  readonly hartParts?: HartParts | undefined
  /** What earlier runs translated (KeptTranslations), and after the run `hart.keepTranslations()` is for the next. Default: nothing is kept. */
  readonly translations?: KeptTranslations | undefined
  /** Calls what it is given, which translates; may tell the engine before and after. Default: only calls it. */
  readonly aroundTranslating?: (translate: () => void) => void
  /** Whether the hart answers the commonest page faults without stopping: every run is the same, only faster. Default true. */
  readonly answerFaults?: boolean | undefined
  /** Is given a line, without its newline, for every system call. */
  readonly trace?: ((line: string) => void) | undefined
  /** Called when a slice of a run is over, some milliseconds of the host's, and there will be others. */
  readonly betweenSlices?: () => void
  /** Whether a profile of the run is taken: `linux.profiler`. Default false. */
  readonly profile?: boolean | undefined
  /** Whether the report of the run says how the memory stood when the program ended. Default true. */
  readonly memoryReport?: boolean | undefined
}

export interface BootedLinux {
  readonly mm: MemoryManager
  readonly linux: Linux
  /** The guest's files: add some, mount folders of the host. */
  readonly files: Files
}

function hartOptions(options: BootOptions): HartOptions {
  const { translate = true, translateThreshold = TRANSLATE_THRESHOLD } = options
  const { hartParts, translations, aroundTranslating } = options
  return {
    threshold: translate ? Math.max(1, translateThreshold) : 0,
    ...(hartParts === undefined ? {} : { parts: hartParts }),
    ...(translations === undefined ? {} : { kept: translations }),
    ...(aroundTranslating === undefined ? {} : { aroundTranslating }),
  }
}

/**
 *     const { linux, files } = bootLinux({ host })
 *     files.addFile('/bin/hello', bytes, 0o755)
 *     linux.start('/bin/hello', ['hello'], []) ?? (await linux.run())
 *
 * Throws an ErrnoError on a bad size and when the host has no memory.
 */
export function bootLinux(options: BootOptions): BootedLinux {
  const { memory = 256 * 2 ** 20, shared = false, inSharedBuffer = shared, lowFrames, seed = 1 } = options
  const zones = lowFrames === undefined ? {} : { lowFrames }
  const mm = mmInit({ bytes: memory, shared, inSharedBuffer, seed, modules: options.hartParts, ...zones })
  const hart = Hart.create(mm, 0, hartOptions(options))
  let files: Files | undefined
  const linux = new Linux({
    mm,
    hart,
    host: options.host,
    files: (env) => {
      files = new Files(env, options.root)
      return files
    },
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.aslr === undefined ? {} : { aslr: options.aslr }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    answerFaults: options.answerFaults,
    trace: options.trace,
    betweenSlices: options.betweenSlices,
    profile: options.profile,
    memoryReport: options.memoryReport,
  })
  return { mm, linux, files: files! }
}
