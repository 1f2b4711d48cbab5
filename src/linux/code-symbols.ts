/** In which function of which file an address of a process lies. */
import { NULL, PAGE_SIZE, pageOf } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { Special, Vma } from '../space/vma.js'
import { isProblem, readLibrary } from './elf.js'
import { type ElfSymbols, readElfSymbols } from './elf-symbols.js'
import { fromUnicode } from './fs/text.js'
import type { Process } from './process.js'
import type { ExecutableFile, FileServices } from './syscall-context.js'

export interface SymbolEnv {
  readonly mm: MemoryManager
  readonly files: Pick<FileServices, 'openExecutable' | 'nameOfObject'>
}

export interface CodePlace {
  /** Of the file, as the guest knows it; undefined: not in a file. */
  readonly path: string | undefined
  /** The file is the program itself. */
  readonly isProgram: boolean
  /** As the file counts, wherever the guest has mapped it; undefined where the file says nothing. */
  readonly address: number | undefined
  /** Undefined where nothing is known. */
  readonly symbol: { readonly name: string; readonly offset: number } | undefined
}

interface Segment {
  readonly fileOffset: number
  readonly fileBytes: number
  readonly address: number
}

/** What a file says of its code. */
interface FileSymbols {
  /** Where it was found in the end: behind symbolic links. */
  readonly path: string
  readonly segments: readonly Segment[]
  readonly symbols: ElfSymbols | undefined
}

const NOWHERE: CodePlace = { path: undefined, isProgram: false, address: undefined, symbol: undefined }

/** A file's symbols are read once. */
export class CodeSymbols {
  readonly #env: SymbolEnv
  readonly #files = new Map<string, FileSymbols | undefined>()

  constructor(env: SymbolEnv) {
    this.#env = env
  }

  at(process: Process, address: number): CodePlace {
    const { mm, files } = this.#env
    const page = pageOf(address)
    const vma = new Vma(mm.memory, mm.vmas.find(process.space, page))
    const isFile =
      vma.ptr !== NULL && vma.start <= page && vma.object !== NULL && vma.special === Special.none
    if (!isFile) return NOWHERE
    const { path } = files.nameOfObject(vma.object)
    const file = this.#fileAt(process, path)
    if (file === undefined) return { ...NOWHERE, path }
    const inFile = addressOf(file, (vma.pageOffset - vma.start) * PAGE_SIZE + address)
    const symbol = inFile === undefined ? undefined : file.symbols?.find(inFile)
    return { path, isProgram: file.path === process.files.program?.path, address: inFile, symbol }
  }

  #fileAt(process: Process, path: string): FileSymbols | undefined {
    if (!this.#files.has(path)) this.#files.set(path, this.#read(process, path))
    return this.#files.get(path)
  }

  #read(process: Process, path: string): FileSymbols | undefined {
    const file = this.#env.files.openExecutable(process, fromUnicode(path))
    if (typeof file === 'number') return undefined
    const symbols = symbolsOf(file)
    file.close()
    return symbols
  }
}

function symbolsOf(file: ExecutableFile): FileSymbols | undefined {
  const program = readLibrary(file)
  if (isProblem(program)) return undefined
  return {
    path: file.path,
    segments: program.segments,
    symbols: readElfSymbols(file, program.header),
  }
}

/** Of what stands at an offset. */
function addressOf({ segments }: FileSymbols, offset: number): number | undefined {
  const segment = segments.find(
    ({ fileOffset, fileBytes }) => offset >= fileOffset && offset < fileOffset + fileBytes,
  )
  return segment && offset - segment.fileOffset + segment.address
}
