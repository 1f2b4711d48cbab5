/**
 * A tmpfs without room: what `call_shm_posix full` prints on a real riscv64 Linux 6.12.117 with 160 MiB. It takes half of RAM, so it
 * is not among the programs that are recorded with much more.
 */
import { expect, test } from 'vitest'
import { runGuest } from './setup/guest.js'
import { guestProgram } from './setup/programs.js'

const path = guestProgram('call_shm_posix', 'musl') ?? guestProgram('call_shm_posix', 'glibc')

const ON_LINUX = `set aside: 0 
free 16
ftruncate: 0 
[7 code 2] stored 16 pages
free 0
[7 code 2] load of a hole: -2 
write over: 4096 
write a hole: -1 E28
write across: 8192 
read a hole: 4096 
fallocate a hole: -1 E28
fallocate what is there: 0 
copy from user: -1 E14
populate: -1 E14
a new file: 1 
private copy of a page that is there: 7
[7 code 2] private copy of a hole: -1
punch: 0 
store after punching: 1
unlink: 0 
free 16
`

test.skipIf(path === undefined)('a tmpfs without room answers as on the real kernel', async () => {
  const guestPath = '/bin/call_shm_posix'
  const memory = 32 * 2 ** 20
  const { status, stdout } = await runGuest({ path: path!, guestPath, args: ['full'] }, { memory })
  expect(stdout.slice(stdout.indexOf('set aside'))).toBe(ON_LINUX)
  expect(status).toBe(0)
})
