#!/usr/bin/env bash
# Installs what the tests compare Pagoda with: a cross compiler, QEMU, a riscv64 kernel, musl, Chromium, Debian's programs
# for riscv64, the kernel's self-tests and the Open POSIX suite (the source of the kernel is 150 MB; building takes two minutes).
# Debian 12 or newer; as root or with sudo. The fetched parts go to ${RV_CACHE:-~/.cache/riscv64-linux}.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
packages=(gcc-riscv64-linux-gnu g++-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-system-misc chromium strace gcc libc6-dev python3)
missing=()
for package in "${packages[@]}"; do dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package"); done
if [ ${#missing[@]} -gt 0 ]; then
  root=; [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
"$here/../riscv64-linux/rv-setup" kernel qemu musl
cd "$here/../.." && node scripts/run-ts.mjs test/software/fetch.ts
node scripts/run-ts.mjs test/suites/fetch.ts
