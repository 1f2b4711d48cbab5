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
/** With shared libraries, threads and children. */
export const IN_ROOT = [
  '/linked.elf',
  '--root',
  'scripts/start-program',
  '--mount',
  'examples/programs:/mnt:ro',
]
const TRANSLATED_IN_ROOT = [...IN_ROOT, ...ALL_TRANSLATED]
const UNTRANSLATED = ['examples/programs/tour.elf', '--translate', 'off']
/** What emits WebAssembly: what translates, twice, as one run takes what the other has kept; and a hart of another kind than the one that is kept. */
export const TRANSLATING_RUNS = [TRANSLATED, TRANSLATED, TRANSLATED_IN_ROOT, TRANSLATED_IN_ROOT, UNTRANSLATED]
/** What takes more, but translates nothing: programs in a root, which load libraries, and have threads and children, and one that takes what runs before have kept. */
export const FREQUENT_RUNS = [IN_ROOT, TRANSLATED]
