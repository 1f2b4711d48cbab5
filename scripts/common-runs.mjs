/**
 * What people run, program first: the build looks which of the command's code it takes, and keeps what V8 compiles of that. (A program that
 * does what many do, with processes, threads and a root, was tried besides: what it takes costs all others 2 ms, and saved itself 1.)
 */
export const COMMON_RUNS = [
  ['scripts/start-program/start.elf'],
  [
    'examples/programs/tour.elf',
    '--memory',
    '64M',
    '--seed',
    '1',
    '--env',
    'A=1',
    '--mount',
    'scripts:/mnt:ro',
  ],
]
