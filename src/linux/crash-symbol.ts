/** In which function of which file an address of a process lies, for the report of a crash. */
import { NULL, PAGE_SIZE, pageOf } from '../base/numbers.js'
import type { MemoryManager } from '../mm.js'
import { Special, Vma } from '../space/vma.js'
import { isProblem, readLibrary } from './elf.js'
import { readElfSymbols } from './elf-symbols.js'
import { fromUnicode } from './fs/text.js'
import type { Process } from './process.js'
import type { ExecutableFile, FileServices } from './syscall-context.js'

export interface SymbolEnv {
  readonly mm: MemoryManager
  readonly files: Pick<FileServices, 'openExecutable' | 'nameOfObject'>
}

/** `main+0x12`, or `puts+0x8 in libc.so.6` when it is not the program's own; undefined where nothing is known. */
export function symbolAt({ mm, files }: SymbolEnv, process: Process, address: number): string | undefined {
  const page = pageOf(address)
  const vma = new Vma(mm.memory, mm.vmas.find(process.space, page))
  const isFile = vma.ptr !== NULL && vma.start <= page && vma.object !== NULL && vma.special === Special.none
  if (!isFile) return undefined
  const { path } = files.nameOfObject(vma.object)
  const file = files.openExecutable(process, fromUnicode(path))
  if (typeof file === 'number') return undefined
  const offset = (vma.pageOffset - vma.start) * PAGE_SIZE + address
  const symbol = symbolOfFile(file, offset)
  const { path: opened } = file
  file.close()
  if (symbol === undefined || opened === process.executable) return symbol
  return `${symbol} in ${path.split('/').pop()}`
}

/** The function whose code stands at an offset of a file. */
function symbolOfFile(file: ExecutableFile, offset: number): string | undefined {
  const program = readLibrary(file)
  if (isProblem(program)) return undefined
  const segment = program.segments.find(
    ({ fileOffset, fileBytes }) => offset >= fileOffset && offset < fileOffset + fileBytes,
  )
  if (segment === undefined) return undefined
  return readElfSymbols(file, program.header)?.describe(offset - segment.fileOffset + segment.address)
}
