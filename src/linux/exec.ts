/**
 * Makes a fresh address space for a program, as Linux's execve does (fs/exec.c, fs/binfmt_elf.c): scripts become their
 * interpreters; the program, the interpreter that it names (ld.so) and the kernel's own pages are mapped, the stack is filled.
 */
import { E2BIG, ELOOP, ENOENT, ENOEXEC, ENOMEM, errnoMessage } from '../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { AddressSpace, inheritedFlags, SpaceFlag } from '../space/address-space.js'
import { setLayout } from '../space/placement.js'
import { readSetting, Setting } from '../state/settings.js'
import { auxiliaryVector } from './auxiliary-vector.js'
import { type ElfProblem, isProblem, readElf, readInterpreter } from './elf.js'
import { bytesOf, toUnicode } from './fs/text.js'
import type { Identity } from './identity.js'
import {
  type ElfFile,
  isPlaced,
  mapImage,
  mapPageZero,
  placeInterpreter,
  placeProgram,
  setHeap,
  setSegments,
} from './image.js'
import { stringBytes, stringPages } from './initial-stack.js'
import { applyLimits, Limit } from './limits.js'
import { Personality } from './personality.js'
import type { Process } from './process.js'
import { makeStack } from './program-stack.js'
import { type RandomLayout, STACK_RANDOM_PAGES } from './random-layout.js'
import { parseScript, SCRIPT_LINE_BYTES } from './script.js'
import type { ExecutableFile, FileServices } from './syscall-context.js'
import type { VdsoPages } from './vdso-pages.js'

/** Most that arguments and environment may take, whatever the stack's limit is: 3/4 of 8 MiB. */
const STRING_BYTES_MAX = 6 * 2 ** 20
const STRING_BYTES_MIN = 128 * 1024
/** Scripts whose interpreter is a script. */
const SCRIPTS_MAX = 5

/** The strings are byte strings (fs/text.ts): a program may be given any bytes. */
export interface Execution {
  /** As execve was given it: AT_EXECFN. */
  readonly path: string
  readonly arguments: readonly string[]
  readonly environment: readonly string[]
  /** AT_RANDOM. */
  readonly random: Uint8Array
  readonly layout: RandomLayout
  /** Of the program to come. */
  readonly identity: Identity
}

/** Where programs are loaded. */
export interface ExecEnv {
  readonly mm: MemoryManager
  readonly pages: VdsoPages
  /** The [vvar] that the program sees. */
  readonly vvar: Ptr
  readonly files: Pick<FileServices, 'openExecutable'>
}

export interface LoadedProgram {
  readonly space: AddressSpace
  /** The program itself, open; a script's interpreter. */
  readonly file: ExecutableFile
  /** Who runs it may read all that it was loaded from; else its memory is not for others to see (would_dump). */
  readonly isReadable: boolean
  /** Where it begins: in its interpreter, if it has one. */
  readonly entry: number
  readonly stackPointer: number
}

/** Why a program could not be loaded; `reason` is for people. */
export interface ExecProblem {
  readonly errno: number
  readonly reason: string
  /** Linux notices only after the old program is gone: the process dies of SIGSEGV. */
  readonly fatal?: boolean
}

export function isExecProblem(value: object): value is ExecProblem {
  return 'reason' in value
}

const NO_MEMORY: ExecProblem = { errno: -ENOMEM, reason: 'not enough memory to load it', fatal: true }
const NO_RECORD: ExecProblem = { errno: -ENOMEM, reason: 'not enough memory to load it' }

/** The files of a program, open. */
interface ProgramFiles {
  readonly main: ElfFile
  readonly interpreter: ElfFile | undefined
  readonly execution: Execution
}

/** Loads a program for a process (for its limits). Nothing of the process is changed; the program's file is the caller's to close. */
export function loadProgram(
  env: ExecEnv,
  process: Process,
  execution: Execution,
): LoadedProgram | ExecProblem {
  const files = openProgram(env, process, execution)
  if (isExecProblem(files)) return files
  const loaded = sizeProblem(env.mm, process, files) ?? makeSpace(env, process, files)
  if (isExecProblem(loaded)) files.main.file.close()
  files.interpreter?.file.close()
  return loaded
}

/** Follows scripts to a program, and the program to its interpreter. */
function openProgram(env: ExecEnv, process: Process, execution: Execution): ProgramFiles | ExecProblem {
  const start = followScripts(env, process, execution)
  if (isExecProblem(start)) return start
  const main = readProgram(start)
  if (isExecProblem(main)) return main
  const { interpreter: path } = main.program
  const interpreter = path === undefined ? undefined : openInterpreter(env, process, path)
  if (interpreter === undefined || !isExecProblem(interpreter)) {
    return { main, interpreter, execution: start.execution }
  }
  start.file.close()
  return interpreter
}

interface Start {
  readonly file: ExecutableFile
  /** What the last script called it; nothing when it is the file that was asked for. */
  readonly calledBy: string | undefined
  readonly execution: Execution
}

/** The first file on the way that is no script, with the arguments that the scripts give it. */
function followScripts(env: ExecEnv, process: Process, execution: Execution): Start | ExecProblem {
  let name = execution.path
  let { arguments: args } = execution
  for (let scripts = 0; ; scripts++) {
    if (scripts > SCRIPTS_MAX) return { errno: -ELOOP, reason: 'a script of a script, and so on too often' }
    const file = scripts === 0 ? env.files.openExecutable(process, name) : openNamed(env, process, name)
    if (typeof file === 'number') return openProblem(file, scripts === 0 ? undefined : name)
    const script = readScript(file)
    const calledBy = scripts === 0 ? undefined : name
    if (script === undefined) return { file, calledBy, execution: { ...execution, arguments: args } }
    file.close()
    const inserted = script.argument === undefined ? [] : [script.argument]
    args = [script.interpreter, ...inserted, name, ...args.slice(1)]
    name = script.interpreter
  }
}

/** A file that another one names. The kernel, unlike its system calls, takes no name at all for the working directory. */
function openNamed(env: ExecEnv, process: Process, name: string): ExecutableFile | number {
  return env.files.openExecutable(process, name === '' ? '.' : name)
}

function readScript(file: ExecutableFile) {
  const start = new Uint8Array(SCRIPT_LINE_BYTES)
  const length = file.read(0, start)
  return length < 0 ? undefined : parseScript(start.subarray(0, length))
}

/** A name as a file has it may hold what makes a terminal do things. */
function shown(name: string): string {
  return (toUnicode(name) ?? name).replace(/\p{C}/gu, '\ufffd')
}

/** `interpreter`: the name that a script gave, when it is not the program's own. */
function openProblem(errno: number, interpreter: string | undefined): ExecProblem {
  if (interpreter !== undefined) return interpreterProblem(errno, interpreter, true)
  return { errno, reason: errnoMessage(errno) }
}

/** A script's interpreter can only be put there; a program can also do without one. */
function interpreterProblem(errno: number, interpreter: string, isScript: boolean): ExecProblem {
  const advice = `; give the guest a folder that has it with --root${isScript ? '' : ', or link with -static'}`
  const way = errno === -ENOENT ? advice : ''
  return { errno, reason: `needs the interpreter ${shown(interpreter)}: ${errnoMessage(errno)}${way}` }
}

/** `interpreter`: which file it is about, when not the program's own. */
function execProblem(found: ElfProblem, interpreter: string | undefined): ExecProblem {
  const { problem, errno = -ENOEXEC, late = false } = found
  const reason = interpreter === undefined ? problem : `its interpreter ${shown(interpreter)} is ${problem}`
  return late ? { errno, reason, fatal: true } : { errno, reason }
}

/** Closes the file when it cannot be run. */
function readProgram({ file, calledBy }: Start): ElfFile | ExecProblem {
  const program = readElf(file)
  if (!isProblem(program)) return { file, program }
  file.close()
  return execProblem(program, calledBy)
}

function openInterpreter(env: ExecEnv, process: Process, path: string): ElfFile | ExecProblem {
  const file = openNamed(env, process, path)
  if (typeof file === 'number') {
    const problem = interpreterProblem(file, path, false)
    return { ...problem, reason: `dynamically linked: ${problem.reason}` }
  }
  const program = readInterpreter(file)
  if (!isProblem(program)) return { file, program }
  file.close()
  return execProblem(program, path)
}

/** What is too large for the machine, before any of it is mapped. */
function sizeProblem(mm: MemoryManager, process: Process, files: ProgramFiles): ExecProblem | undefined {
  const limit = process.softLimit(Limit.stack) / 4
  const most = Math.max(STRING_BYTES_MIN, Math.min(limit, STRING_BYTES_MAX))
  const strings = encoded(files.execution)
  if (stringBytes(strings) > most || exceedsStack(process, stringPages(strings))) {
    return { errno: -E2BIG, reason: 'its arguments and environment are too long' }
  }
  const segments = [...files.main.program.segments, ...(files.interpreter?.program.segments ?? [])]
  const bytes = segments.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  if (bytes <= mm.buddy.totalFrames() * PAGE_SIZE) return undefined
  const needed = Math.ceil(bytes / 2 ** 20)
  const there = Math.floor((mm.buddy.totalFrames() * PAGE_SIZE) / 2 ** 20)
  const reason = `needs ${needed} MiB of memory, the machine has ${there} MiB`
  return { errno: -ENOMEM, reason, fatal: true }
}

/** Whether strings need a stack that may not grow so far: its first page is there (get_arg_page). */
function exceedsStack(process: Process, pages: number): boolean {
  const most = Math.min(process.softLimit(Limit.stack), process.softLimit(Limit.addressSpace))
  return pages > 1 && pages * PAGE_SIZE > most
}

/** The strings of a program's stack. */
function encoded(execution: Execution) {
  return {
    executable: bytesOf(execution.path),
    arguments: execution.arguments.map(bytesOf),
    environment: execution.environment.map(bytesOf),
  }
}

function makeSpace(env: ExecEnv, process: Process, files: ProgramFiles): LoadedProgram | ExecProblem {
  const { mm } = env
  const record = mm.spaces.create()
  if (record === NULL) return NO_RECORD
  const space = new AddressSpace(mm.memory, record)
  if (process.space.ptr !== NULL) space.flags = inheritedFlags(process.space.flags)
  const { personality, credentials } = files.execution.identity
  applyLimits(process, space, personality, credentials)
  layOut(mm, process, space, files.execution)
  const loaded = fillSpace(env, process, space, files)
  if (isExecProblem(loaded)) mm.spaces.release(record)
  return loaded
}

function layOut(mm: MemoryManager, process: Process, space: AddressSpace, execution: Execution): void {
  const { layout, identity } = execution
  const isLegacy = readSetting(mm.memory, Setting.legacyLayout) !== 0
  setLayout(space, mm.arch.userEnd, {
    stackLimit: process.softLimit(Limit.stack),
    compatible: isLegacy || (identity.personality & Personality.addrCompatLayout) !== 0,
    randomPages: layout.mapPages,
    stackRandomPages: layout.isOn ? STACK_RANDOM_PAGES : 0,
  })
  if (layout.isOn) space.flags |= SpaceFlag.randomized
}

function fillSpace(
  { mm, pages, vvar }: ExecEnv,
  process: Process,
  space: AddressSpace,
  { main, interpreter, execution }: ProgramFiles,
): LoadedProgram | ExecProblem {
  const { program } = main
  const { layout } = execution
  const bias = mapAt(mm, space, main, placeProgram(mm, space, program, layout.programPages))
  if (typeof bias !== 'number') return bias
  setHeap(space, program, bias, layout.heapPages)
  setSegments(space, program, bias)
  const base = interpreter && mapAt(mm, space, interpreter, placeInterpreter(mm, space, interpreter.program))
  if (typeof base === 'object') return base
  const vdso = pages.map(mm, space, vvar)
  if (vdso < 0) return NO_MEMORY
  const stackPointer = makeStack(mm, process, space, {
    ...encoded(execution),
    random: execution.random,
    randomBytes: layout.stackBytes,
    randomPages: layout.stackPages,
    auxiliary: auxiliaryVector(program, { bias, interpreterBase: base ?? 0, vdso }, execution.identity),
    executableStack: program.executableStack,
  })
  if (stackPointer < 0) return NO_MEMORY
  const entry = interpreter === undefined ? program.entry + bias : interpreter.program.entry + base!
  if ((execution.identity.personality & Personality.mmapPageZero) !== 0) mapPageZero(mm, space)
  const isReadable = main.file.isReadable && interpreter?.file.isReadable !== false
  return { space, file: main.file, isReadable, entry, stackPointer }
}

/** Maps a file, moved by `bias`; the bias, or why not. `bias` may be a failure to find a place. */
function mapAt(mm: MemoryManager, space: AddressSpace, image: ElfFile, bias: number): number | ExecProblem {
  if (!isPlaced(mm, image.program, bias)) return NO_MEMORY
  return mapImage(mm, space, image, bias) < 0 ? NO_MEMORY : bias
}
