fib() { [ "$1" -lt 2 ] && echo "$1" || echo $(( $(fib $(($1 - 1))) + $(fib $(($1 - 2))) )); }
echo "fib 9 by 109 subshells: $(fib 9)"
count=0; for i in $(seq 1 300); do /usr/bin/busybox true && count=$((count + 1)); done; echo "$count executed"
for i in $(seq 1 200); do (exit $((i % 256))); last=$?; done; echo "last $last"
down() { [ "$1" -eq 0 ] && echo bottom || (down $(($1 - 1))); }; down 40
a=1; while [ $a -lt 1000 ]; do a=$((a * 3)); [ $((a % 2)) -eq 0 ] && break; done; echo $a
case "file.tar.gz" in *.zip) echo zip;; *.tar.*) echo tar;; esac
v=path/to/file.c; echo "${v##*/} ${v%/*} ${v%.c} ${v#*/} ${#v} ${none:-default} ${v:5:2} ${v/to/from}"
set -- x 'y z' w; echo $# "$2"; shift; echo "$*"; for arg; do echo "<$arg>"; done
set -e; (false; echo not reached) || echo "left early"; set +e
eval 'echo $((1 << 40)) $((-7 / 2)) $((-7 % 3)) $((0x1f)) $((017))'
printf '%s-%d-%05.1f-%x-%c\n' text 42 3.14159 255 char; echo -e 'tab\there'
test -d / -a ! -f / && echo directory; [ 10 -gt 9 ] && [ 10 \< 9 ] && echo numbers and strings
local_test() { local l=inside; g=changed; echo $l; }; l=outside; g=global; local_test; echo $l $g
PATH=/nowhere missing_command; echo "status $?"; /tmp; echo "status $?"; echo 'echo from a script' > s; ./s; echo "status $?"; chmod +x s; ./s
printf '#!/usr/bin/busybox sh\necho "$0 $1"\nexec /usr/bin/busybox env -i A=1 /usr/bin/busybox env\n' > s2; chmod +x s2; ./s2 argument
getopts ab: o -b value; echo "$o $OPTARG"; ulimit -n; ulimit -s; umask; umask 077; : > secret; stat -c %a secret
echo "$(timeout 0.3 sleep 10; echo "timeout $?")"; echo "$(timeout 10 echo in time)"
time_zone=$(TZ=UTC0 date -d @86400 '+%Y-%m-%d %H:%M:%S'); echo "$time_zone"; uname -s -m -r | sed 's/-.*+/+/; s/6\.12[^ ]*/6.12/'
