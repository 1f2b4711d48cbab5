# What programs read in /proc, without what differs from machine to machine.
readlink /proc/self/exe; readlink /proc/self/cwd; readlink /proc/self/root; tr '\0' ' ' < /proc/self/cmdline; echo
tr '\0' '\n' < /proc/self/environ | sort
ls /proc/self/fd | tr '\n' ' '; echo; exec 7< /dev/null; readlink /proc/self/fd/7; exec 7<&-
[ "$(cat /proc/$$/stat | cut -d' ' -f1)" = $$ ] && echo own pid; cut -d' ' -f2,3 /proc/self/stat
grep -E '^(Name|State|Threads|Umask|Uid|Gid|SigQ|SigBlk|SigIgn):' /proc/self/status | sed 's/^SigQ.*/SigQ/'
sh -c 'trap "" TERM USR2; busybox grep -E "^Sig(Ign|Cgt)" /proc/self/status'
sleep 50 & child=$!; i=0
while [ "$(cut -d' ' -f3 /proc/$child/stat)" != S ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i + 1)); done
grep -E '^(Name|State|Threads)' /proc/$child/status; [ "$(grep ^PPid /proc/$child/status | cut -f2)" = $$ ] && echo "its parent is the shell"
tr '\0' ' ' < /proc/$child/cmdline; echo; kill $child; wait $child; [ -d /proc/$child ] || echo gone
cut -d' ' -f6- /proc/self/maps | sort -u | grep -E '^ *[[/]' | tr -d ' '
sed -n 's/^\(MemTotal\|MemFree\|MemAvailable\|Cached\|SwapTotal\):.*/\1/p' /proc/meminfo; wc -w < /proc/uptime
grep -c ^processor /proc/cpuinfo > /dev/null && grep -E '^(isa|mmu)' /proc/cpuinfo | cut -d: -f1 | sort -u
cat /proc/sys/vm/overcommit_memory /proc/sys/kernel/ostype; ls -d /proc/self/task/*/ | wc -l; cat /proc/self/comm
cat /sys/devices/system/cpu/online | grep -q ^0 && echo a processor is online; nproc > /dev/null && echo nproc
(ulimit -v 20000; dd if=/dev/zero of=/dev/null bs=64M count=1 2>&1 | head -1)
