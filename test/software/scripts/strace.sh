# Numbers of processes and addresses are other ones each time; what strace prints of a process goes to a file of its own.
tidy() {
  sed -e 's/0x[0-9a-f]*/ADDRESS/g' -e 's/_pid=[0-9]*/_pid=PID/g' -e 's/kill([0-9]*, \([0-9]*, \)*/kill(PID, /' \
    -e 's/\(clone3*(.*) *= \)[0-9]\{1,\}$/\1PID/' -e 's/wait4([0-9]*,\(.*\) = [0-9]*$/wait4(PID,\1 = PID/' \
    -e 's/^\(get[a-z]*id\|set_tid_address\)\(.*\) = [0-9]*$/\1\2 = PID/' -e 's/=> {parent_tid=\[[0-9]*\]}/=> {parent_tid=[TID]}/' \
    -e 's/child_tid=\[[0-9]*\]/child_tid=[TID]/' -e 's/getrandom("[^"]*"/getrandom("BYTES"/' -e 's@\(si_[us]time\)=[0-9]*\( /[^/]*/\)*@\1=TICKS@g' \
    -e 's/_timerid=[0-9a-fx]*/_timerid=ID/' -e 's/parent_tid=\[[0-9]*\]/parent_tid=[TID]/g' \
    -e 's/) *= /) = /' -e '/^newfstatat(1,/d' "$@"
}
all() { for file in $(ls "$1".* | sort -t. -k2 -n); do echo "-- process"; tidy "$file"; done; rm "$1".*; }
echo "== every call of every process"
strace -ff -o t /programs/traced 2>&1; echo "status $?"
all t
echo "== a few calls and a signal"
strace -f -e trace=execve,exit_group -e signal=SIGALRM -o one /programs/traced run 2>&1; echo "status $?"
sed -e 's/^[0-9]* *//' one | tidy | sort
echo "== counts"
strace -f -c -U name,calls,errors -o counts /programs/traced 2>&1; echo "status $?"
sed -e 1,2d counts | sort
echo "== a thread"
strace -ff -e trace='!munmap,mprotect,brk,mmap,futex,madvise' -o t /programs/traced thread 2>&1; echo "status $?"
all t
echo "== a crash"
strace -ff -e trace=none -o t /programs/traced crash 2>&1; echo "status $?"
all t
echo "== calls that are made to fail"
strace -e inject=openat:error=EPERM:when=1 -e trace=openat -f -o one /programs/traced 2>&1; echo "status $?"
sed -e 's/^[0-9]* *//' one | tidy | grep openat
echo "== attached"
busybox sleep 1000 &
sleeper=$!
busybox sleep 0.3
strace -p $sleeper -o one 2>/dev/null &
tracer=$!
busybox sleep 0.5
kill -USR1 $sleeper
wait $sleeper; echo "sleep ended with $?"
wait $tracer; echo "strace ended with $?"
tidy one | grep -v '^restart_syscall\|^nanosleep\|^clock_nanosleep'
