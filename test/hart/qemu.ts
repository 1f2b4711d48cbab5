/** qemu-riscv64 user mode: the reference for what instructions do. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

const DEFAULT_QEMU = join(homedir(), '.cache/riscv64-linux/qemu/usr/bin/qemu-riscv64')
/** RV64GC and nothing beside it. */
const CPU = 'rv64i,priv_spec=v1.12.0,m=true,a=true,f=true,d=true,c=true,zicsr=true,zifencei=true'

/** Path of the qemu to use (PAGODA_QEMU, or where the set-up puts it); undefined when there is none. */
export function findQemu(): string | undefined {
  const path = process.env.PAGODA_QEMU ?? DEFAULT_QEMU
  return existsSync(path) ? path : undefined
}

/** Runs a static ELF file and returns its standard output. */
export function runInQemu(qemu: string, elf: Uint8Array, outputBytes: number): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), 'pagoda-hart-'))
  try {
    const file = join(directory, 'sequences.elf')
    writeFileSync(file, elf)
    chmodSync(file, 0o755)
    const result = spawnSync(qemu, ['-cpu', CPU, file], { maxBuffer: outputBytes + 65536, timeout: 300_000 })
    if (result.status !== 0 || result.stdout.length !== outputBytes) {
      throw new Error(
        `qemu: status ${result.status}, ${result.stdout?.length} bytes, ${result.signal}: ${result.stderr}`,
      )
    }
    return result.stdout
  } finally {
    rmSync(directory, { recursive: true })
  }
}
