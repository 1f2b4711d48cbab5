/** The program that `pagoda run` is given: a file of the host, and where it stands in the guest. */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { EXIT_NOT_EXECUTABLE, EXIT_NOT_FOUND, EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import type { Mount } from './mount.js'

/** The program's bytes, in `room` if they have room there. A refusal says what to do, and has the exit code that a shell gives. */
export function readProgram(path: string, room?: Uint8Array): Uint8Array {
  try {
    const stat = statSync(path)
    if (stat.isDirectory()) throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: is a directory, not a program`)
    if (!stat.isFile()) {
      // A device may have no end; a pipe can be read only once.
      throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: not a regular file; give the path of a program`)
    }
    if (process.platform !== 'win32' && (stat.mode & 0o111) === 0) {
      throw new Refusal(
        EXIT_NOT_EXECUTABLE,
        `${path}: permission denied; make it executable: chmod +x ${path}`,
      )
    }
    return stat.size > 0 && stat.size < SIZE_MAX ? readAll(path, stat.size, room) : readFileSync(path)
  } catch (error) {
    if (error instanceof Refusal) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new Refusal(EXIT_NOT_FOUND, `${path}: no such file; give the path of a riscv64 Linux program`)
    }
    throw new Refusal(EXIT_NOT_EXECUTABLE, `${path}: ${code === 'EACCES' ? 'permission denied' : message}`)
  }
}

/** Node says so of larger files. */
const SIZE_MAX = 2 ** 31

/** With the functions of Node that the loader has used (bin/pagoda.js): each other one is compiled first. */
function readAll(path: string, size: number, room: Uint8Array | undefined): Uint8Array {
  const bytes = room !== undefined && size <= room.length ? room.subarray(0, size) : new Uint8Array(size)
  const fd = openSync(path, 'r')
  try {
    for (let done = 0; done < size; ) {
      const count = readSync(fd, bytes, done, size - done, done)
      if (count === 0) return bytes.subarray(0, done)
      done += count
    }
    return bytes
  } finally {
    closeSync(fd)
  }
}

function isUnder(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}

/** Where the program stands in the guest: at its path on the host, unless a mount hides that. */
export function guestPath(program: string, mounts: readonly Mount[]): string {
  const isFree = (place: string) => !mounts.some(({ guest }) => isUnder(place, guest))
  const own = resolve(program)
  if (isFree(own)) return own
  const name = basename(program)
  const found = [`/bin/${name}`, `/.program/${name}`].find(isFree)
  if (found === undefined) {
    throw new Refusal(
      EXIT_OWN_FAILURE,
      '--mount over / leaves no place for the program; mount at a folder, like /mnt',
    )
  }
  return found
}
