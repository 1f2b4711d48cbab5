/** What people run, program first: the build looks which of the command's code it takes, and keeps what V8 compiles of that. */
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

const ALL_TRANSLATED = ['--translate-threshold', '2']
const TRANSLATED = ['examples/programs/tour.elf', '--memory', '64M', ...ALL_TRANSLATED]
const IN_ROOT = ['/linked.elf', '--root', 'scripts/start-program', '--mount', 'examples/programs:/mnt:ro']
const TRANSLATED_IN_ROOT = [...IN_ROOT, ...ALL_TRANSLATED]
/** What takes more: code that is worth translating, and programs in a root, which load libraries, and have threads and children. What is translated runs twice: one takes what the other has kept. */
export const FREQUENT_RUNS = [TRANSLATED, TRANSLATED, IN_ROOT, TRANSLATED_IN_ROOT, TRANSLATED_IN_ROOT]
