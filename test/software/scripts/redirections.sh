echo out > f; echo more >> f; cat < f
exec 3> three; echo to three >&3; echo also >&3; exec 3>&-; cat three
echo closed >&3; echo "status $?"
{ echo a; echo b >&2; } > o 2> e; cat e o
{ echo both; echo errors >&2; } > both 2>&1; cat both
exec 4<> rw; echo written >&4; exec 4<&-; cat rw
set -C; echo x > f; echo "noclobber: $?"; echo y >| f; cat f; set +C
cat < nothing; echo "status $?"
echo piped | { read -r x; echo "got $x"; }
cat f - <<EOF
and this
EOF
mkfifo p; (echo through the fifo > p) & cat p; wait
(for i in 1 2 3; do echo "writer $i"; done > p) & while read -r l; do echo "< $l"; done < p; wait
yes | head -2; seq 1 100000 | head -1; seq 1 9999 | grep 999 | tail -1
echo one | tee t1 t2 | cat; cat t1 t2
echo 'a b c' | xargs -n1 echo item; seq 1 50 | xargs -n 7 | tail -2; find . -name 't?' -print0 | sort -z | xargs -0 ls
: | true | false; echo "pipeline $?"; ! true; echo "not $?"
set -o pipefail; false | true; echo "pipefail $?"
dd if=/dev/zero bs=4096 count=300 2>/dev/null | wc -c; head -c 100000 /dev/urandom | wc -c
cat /dev/null; echo x > /dev/full; echo "full $?"; ls -l /dev/null /dev/zero /dev/full | awk '{ print $1, $5, $6 }'
