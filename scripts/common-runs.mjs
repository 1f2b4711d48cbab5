/**
 * What people run, program first: the build looks which of the command's code it takes, and keeps what V8 compiles of that. (A program that
 * does what many do, with processes, threads and a root, was tried besides: hello took 1 ms more, and so did busybox with --root,
 * which needs some of the late code in any case.)
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
