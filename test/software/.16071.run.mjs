// test/software/cases.ts
var ENVIRONMENT = [
  "PATH=/usr/bin:/bin:/usr/sbin:/sbin",
  "HOME=/tmp",
  "LANG=C",
  "LC_ALL=C",
  "TZ=UTC0",
  "PYTHONHASHSEED=0",
  "PYTHONDONTWRITEBYTECODE=1"
];
var DIRECTORY = "/tmp";
var BUSYBOX = "/usr/bin/busybox";
function define(root, name, argv, details = {}) {
  return { name: `${root}/${name}`, root, argv, ...details };
}
var applet = (name, argv, details) => define("busybox", name, [BUSYBOX, ...argv], details);
var script = (root, name, details) => define(root, name, [BUSYBOX, "sh", `/scripts/${name}.sh`], details);
var busybox = [
  applet("echo", ["echo", "one", "two"]),
  applet("sort", ["sort", "-rn"], { input: "3\n20\n100\n1\n" }),
  applet("awk-arithmetic", ["awk", "BEGIN { for (i = 1; i <= 20; i++) x = x * 31 % 1009 + i; print x }"]),
  applet("bad-applet", ["nosuchapplet"]),
  applet("pipeline", ["sh", "-c", "seq 1 1000 | sort -rn | head -3"]),
  applet("pid-one-status", ["sh", "-c", "kill -9 $$"]),
  applet("awk", ["awk", "-f", "/scripts/text.awk"], {
    input: "the cat and the dog\nThe end of the tale and\n\nno newline at the end"
  }),
  ...["substitution", "here-documents", "jobs", "traps", "files", "checksums", "archive"].map(
    (name) => script("busybox", name)
  ),
  ...["redirections", "language", "proc", "text-tools"].map((name) => script("busybox", name))
];
var tools = [
  define("tools", "sqlite-memory", ["/usr/bin/sqlite3"], { input: ".read /scripts/memory.sql\n" }),
  script("tools", "wal"),
  define("tools", "sqlite-inserts", ["/usr/bin/sqlite3", ":memory:"], {
    input: `CREATE TABLE t(a, b);
${Array.from({ length: 1e4 }, (_, i) => `INSERT INTO t VALUES(${i}, 'row ${i}');
`).join("")}SELECT count(*), sum(a), max(b) FROM t;
`,
    heavy: true
  }),
  define("tools", "lua", ["/usr/bin/lua5.4", "/scripts/program.lua"]),
  define("tools", "perl", ["/usr/bin/perl", "/scripts/program.pl"])
];
var unittests = (module, details, ...only) => define("python", module, ["/usr/bin/python3", "/scripts/unittests.py", module, ...only], details);
var python = [
  define("python", "version", [
    "/usr/bin/python3",
    "-c",
    "import sys, platform; print(sys.version_info[:2], platform.machine(), sys.maxsize, 2 ** 200, sorted({3, 1, 2}), 1e100)"
  ]),
  define("python", "traceback", ["/usr/bin/python3", "-c", "def f(n): return 1 / n\nf(0)"]),
  define("python", "concurrency", ["/usr/bin/python3", "/scripts/concurrency.py"], { heavy: true }),
  ...["test_list", "test_dict", "test_re", "test_json", "test_threading", "test_subprocess", "test_mmap"].map(
    (module) => unittests(module, { heavy: true })
  )
];
var redis = [
  define("redis", "version", ["/usr/bin/redis-cli", "--version"]),
  { ...script("redis", "redis"), heavy: true }
];
function storms(rounds, details) {
  const suffix = details.heavy ? "-long" : "";
  const storm = (program, allocator, library) => define("malloc", `${program}-${allocator}${suffix}`, [`/programs/${program}`, `${rounds}`], {
    ...details,
    ...library && { env: [`LD_PRELOAD=/usr/lib/riscv64-linux-gnu/${library}`] }
  });
  return [
    storm("storm.musl", "musl"),
    ...["storm", "storm_cxx"].flatMap((program) => [
      storm(program, "glibc"),
      storm(program, "jemalloc", "libjemalloc.so.2"),
      storm(program, "mimalloc", "libmimalloc.so.3"),
      storm(program, "tcmalloc", "libtcmalloc_minimal.so.4")
    ])
  ];
}
var STRESSORS = {
  memory: ["vm:20000", "mmap:20", "brk:2000", "stack:2", "bigheap:200", "malloc:2000", "mremap:20", "madvise:10", "msync:50"],
  "shared-memory": ["shm:4", "memfd:4", "mmapfork:2", "mmapmany:2", "mincore:100", "munmap:10", "fault:500", "pagemove:5"],
  processes: ["fork:50", "vfork:50", "exec:10", "wait:100", "clone:20", "pthread:50", "zombie:50", "kill:1000", "nice:10"],
  threads: ["futex:1000", "mutex:1000", "sem:1000", "tsearch:2", "membarrier:20", "yield:1000", "switch:500", "context:500"],
  pipes: ["pipe:1000", "fifo:500", "eventfd:500", "epoll:20", "poll:200", "select:100", "sockpair:200", "fd-fork:5"],
  signals: ["signal:500", "sigq:500", "sigfd:200", "sigsuspend:100", "sigsegv:200", "sigpipe:100", "sigaltstack:20", "timer:50"],
  files: ["dentry:100", "dir:50", "rename:200", "link:50", "symlink:50", "chmod:50", "open:100", "seek:200", "hdd:200", "dup:20"]
};
var stress = Object.entries(STRESSORS).map(
  ([group, stressors]) => define("stress", group, [BUSYBOX, "sh", "/scripts/stressors.sh", ...stressors], { heavy: true })
);
var softwareCases = [
  ...busybox,
  ...tools,
  ...python,
  ...redis,
  ...storms(1e3, {}),
  ...storms(12e3, { heavy: true }),
  ...stress
];

// test/software/files.ts
import { createHash as createHash2 } from "node:crypto";
import { readFileSync as readFileSync2 } from "node:fs";
import { fileURLToPath as fileURLToPath2 } from "node:url";

// test/software/programs.ts
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
var repository = fileURLToPath(new URL("../..", import.meta.url));
var MUSL = join(repository, "test/riscv64-linux/rv-musl-gcc");
var programs = {
  storm: { source: "storm.c", compiler: "riscv64-linux-gnu-gcc" },
  "storm.musl": { source: "storm.c", compiler: MUSL },
  storm_cxx: { source: "storm_cxx.cc", compiler: "riscv64-linux-gnu-g++" }
};
function isProgram(name) {
  return name in programs;
}
function programSource(name) {
  return readFileSync(new URL(`programs/${programs[name].source}`, import.meta.url), "utf8");
}
function buildProgram(name) {
  const { source, compiler } = programs[name];
  const text = programSource(name);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const path = join(repository, ".cache", "software", `${name}.${hash}.elf`);
  if (existsSync(path)) return path;
  const flags = /^\/\/ flags: (.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
  const file = fileURLToPath(new URL(`programs/${source}`, import.meta.url));
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  execFileSync(compiler, ["-O2", ...flags, "-o", unfinished, file], { stdio: "inherit" });
  renameSync(unfinished, path);
  return path;
}

// test/software/files.ts
var ours = /\/(scripts|programs)\/([\w.-]+)/g;
function* namesIn(text) {
  for (const [guest, folder, name] of text.matchAll(ours)) yield { guest, folder, name };
}
function filesOf(test) {
  const files = /* @__PURE__ */ new Map();
  for (const { guest, folder, name } of namesIn([...test.argv, test.input ?? ""].join("\n"))) {
    if (folder === "scripts") files.set(guest, fileURLToPath2(new URL(`scripts/${name}`, import.meta.url)));
    else if (isProgram(name)) files.set(guest, buildProgram(name));
    else throw new Error(`${test.name}: no program ${name}`);
  }
  return files;
}
function hashOf(test) {
  const hash = createHash2("sha256");
  hash.update(JSON.stringify([test.argv, test.env, test.input, ENVIRONMENT, DIRECTORY]));
  for (const { folder, name } of namesIn([...test.argv, test.input ?? ""].join("\n"))) {
    if (folder === "scripts") hash.update(readFileSync2(new URL(`scripts/${name}`, import.meta.url)));
    else if (isProgram(name)) hash.update(programSource(name));
  }
  return hash.digest("hex").slice(0, 16);
}

// test/software/real-kernel.ts
import { execFileSync as execFileSync3 } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync as mkdirSync3, mkdtempSync, readdirSync as readdirSync2, rmSync as rmSync2, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname as dirname2, join as join4 } from "node:path";
import { fileURLToPath as fileURLToPath4 } from "node:url";

// test/setup/oracles.ts
import { accessSync, constants, existsSync as existsSync2, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join as join2 } from "node:path";
var oracleCache = process.env.RV_CACHE ?? join2(process.env.XDG_CACHE_HOME ?? join2(homedir(), ".cache"), "riscv64-linux");
function findCommand(command) {
  return (process.env.PATH ?? "").split(delimiter).map((folder) => join2(folder, command)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
function fetched(...path) {
  const full = join2(oracleCache, ...path);
  return existsSync2(full) ? full : void 0;
}
var finders = {
  /** The C cross compiler (glibc). */
  gcc: () => findCommand("riscv64-linux-gnu-gcc"),
  /** The C++ cross compiler. */
  gxx: () => findCommand("riscv64-linux-gnu-g++"),
  /** musl's headers and library for the cross compiler. */
  musl: () => fetched("musl", ".done"),
  /** qemu user mode 10: the reference for instructions. */
  qemuUser: () => process.env.PAGODA_QEMU ?? fetched("qemu", "usr", "bin", "qemu-riscv64"),
  /** qemu system mode, which runs the real kernel. */
  qemuSystem: () => findCommand("qemu-system-riscv64"),
  /** Debian's riscv64 kernel image. */
  kernel: () => {
    const boot = fetched("kernel", "boot");
    return boot && readdirSync(boot).some((name) => name.startsWith("vmlinux-")) ? boot : void 0;
  },
  chromium: () => findCommand("chromium")
};
function findOracle(oracle) {
  const path = finders[oracle]();
  if (path === void 0 && process.env.CI) throw new Error(`${oracle} is missing: npm run test:setup`);
  return path;
}

// test/software/pagoda.ts
var MEMORY = 2 ** 30;

// test/software/roots.ts
import { execFileSync as execFileSync2 } from "node:child_process";
import { createHash as createHash3 } from "node:crypto";
import { existsSync as existsSync3, mkdirSync as mkdirSync2, readFileSync as readFileSync3, renameSync as renameSync2, rmSync } from "node:fs";
import { join as join3 } from "node:path";
import { fileURLToPath as fileURLToPath3 } from "node:url";
var tool = fileURLToPath3(new URL("../riscv64-linux/debian-riscv64", import.meta.url));
var DOCUMENTATION = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"];
var contents = {
  busybox: { packages: ["busybox-static"] },
  tools: { packages: ["busybox-static", "dash", "sqlite3", "lua5.4", "perl"] },
  python: { packages: ["dash", "python3", "libpython3.13-testsuite"] },
  redis: { packages: ["busybox-static", "redis-server", "redis-tools"] },
  malloc: { packages: ["libstdc++6", "libjemalloc2", "libmimalloc3", "libtcmalloc-minimal4t64"] },
  stress: {
    packages: ["busybox-static", "stress-ng"],
    // The drivers behind libEGL, which nothing here opens: 200 MB.
    without: ["libLLVM*", "libgallium*", "libz3*"].map((name) => `usr/lib/riscv64-linux-gnu/${name}`)
  }
};
var rootNames = Object.keys(contents);
var sha256 = (text) => createHash3("sha256").update(text).digest("hex").slice(0, 16);
function folderOf(name) {
  return join3(oracleCache, "software", `${name}-${sha256(JSON.stringify(contents[name]))}`);
}
function findRoot(name) {
  return existsSync3(folderOf(name)) ? folderOf(name) : void 0;
}
function packagesHash(name) {
  return sha256(readFileSync3(join3(folderOf(name), "var/lib/debian-riscv64.list"), "utf8"));
}
function fetchRoot(name) {
  const folder = folderOf(name);
  if (existsSync3(folder)) return;
  const { packages, without = [] } = contents[name];
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync2(unfinished, { recursive: true });
  try {
    execFileSync2(tool, ["get", unfinished, ...packages], { stdio: ["ignore", "ignore", "inherit"] });
    const patterns = [...DOCUMENTATION, ...without].join(" ");
    execFileSync2("bash", ["-c", `rm -rf ${patterns}`], { cwd: unfinished });
    renameSync2(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

// test/software/real-kernel.ts
var local = (path) => fileURLToPath4(new URL(path, import.meta.url));
function kernelVersion() {
  const image = readdirSync2(findOracle("kernel")).find((name) => name.startsWith("vmlinux-"));
  return image.slice("vmlinux-".length);
}
function planOf({ name, argv, env = [], input = "" }) {
  const environment = [...ENVIRONMENT, ...env];
  const fields = [name, argv.length, ...argv, environment.length, ...environment, input];
  return fields.map((field) => `${field}\0`).join("");
}
function prepare(folder, root, tests) {
  cpSync(findRoot(root), folder, { recursive: true, verbatimSymlinks: true });
  for (const [guest, path] of tests.flatMap((test) => [...filesOf(test)])) {
    mkdirSync3(dirname2(join4(folder, guest)), { recursive: true });
    copyFileSync(path, join4(folder, guest));
  }
  writeFileSync(join4(folder, "cases"), tests.map(planOf).join(""));
  const compile = ["-O2", "-static", "-o", join4(folder, "runner"), local("runner.c")];
  execFileSync3("riscv64-linux-gnu-gcc", compile);
}
function outcomeOf(line) {
  const [name, status, stdout, stderr] = line.split(" ");
  const text = (hex = "") => Buffer.from(hex, "hex").toString("latin1");
  const wait = Number(status);
  if (wait < 0) throw new Error(`${name} did not end on the real kernel: ${text(stdout)} ${text(stderr)}`);
  const code = wait & 127 ? 128 + (wait & 127) : wait >> 8 & 255;
  return [name, { status: code, stdout: text(stdout), stderr: text(stderr) }];
}
function runOnLinux(root, tests) {
  const folder = mkdtempSync(join4(tmpdir(), "pagoda-software-"));
  try {
    prepare(folder, root, tests);
    const output = execFileSync3(local("../riscv64-linux/rv-exec"), ["-r", folder, "/runner"], {
      encoding: "latin1",
      maxBuffer: 2 ** 28,
      stdio: ["ignore", "pipe", "inherit"],
      env: { RV_TIMEOUT: "3000", ...process.env, RV_MEM: `${MEMORY / 2 ** 20}M` }
    });
    return new Map(output.trim().split("\n").map(outcomeOf));
  } finally {
    rmSync2(folder, { recursive: true, force: true });
  }
}

// test/software/references.ts
import { existsSync as existsSync4, mkdirSync as mkdirSync4, readFileSync as readFileSync4, writeFileSync as writeFileSync2 } from "node:fs";
import { dirname as dirname3 } from "node:path";
import { fileURLToPath as fileURLToPath5 } from "node:url";
function pathOf({ name }) {
  return fileURLToPath5(new URL(`../references/software/${name.replace("/", ".")}.json`, import.meta.url));
}
function writeReference(test, reference) {
  const path = pathOf(test);
  mkdirSync4(dirname3(path), { recursive: true });
  writeFileSync2(path, `${JSON.stringify(reference, null, 1)}
`);
}

// test/software/record.ts
var names = process.argv.slice(2);
var isWanted = (name) => names.some((wanted) => name === wanted || name.startsWith(`${wanted}/`));
for (const root of rootNames) {
  const tests = softwareCases.filter((test) => test.root === root && (!names.length || isWanted(test.name)));
  if (tests.length === 0) continue;
  fetchRoot(root);
  const outcomes = runOnLinux(root, tests);
  for (const test of tests) {
    const outcome = outcomes.get(test.name);
    if (outcome === void 0) throw new Error(`${test.name}: nothing came from the real kernel`);
    const tiedTo = { kernel: kernelVersion(), caseHash: hashOf(test), packagesHash: packagesHash(root) };
    writeReference(test, { ...tiedTo, ...outcome });
    const { status, stdout, stderr } = outcome;
    console.log(`${test.name}: status ${status}, ${stdout.length} bytes, ${stderr.length} of errors`);
  }
}
