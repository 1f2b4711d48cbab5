seq 1 20 > n; sed -n '5,7p;s/^1$/one/p;$=' n; sed -i '3d;s/\(.\)\(.\)/\2\1/' n; paste -sd, n; sed -e :a -e '$!N;s/\n/+/;ta' n
printf 'b 2\na 10\nc 1\na 2\n' > t; sort t; sort -k2n t; sort -u -k1,1 t; cut -d' ' -f1 t | uniq -c | awk '{print $1,$2}'; tac t; rev t
printf 'one\ntwo\nthree\n' > l; printf 'one\n2\nthree\nfour\n' > r; diff l r; diff -u l r | tail -n +3; cmp l r; comm l r 2>/dev/null
grep -n t l; grep -c o l; grep -v o l; grep -E '^(one|two)$' l; echo 'x=1;y=2' | tr ';=' '\n:'; echo hello | tr a-y b-z; nl l; fold -w 3 l; expand r | wc -c
head -n 2 l; tail -n 1 l; tail -c 4 l; wc l; expr 6 '*' 7; factor 1234567890; echo '2^100; scale=20; 1/7' | bc; echo '2 3 + p' | dc
date -u -d @0 +%s; cal 2 2024 | head -4; ascii | head -3 | cut -c1-20; printf '\0\1\2abc' | od -c; printf 'abc' | xxd -p; echo aGVsbG8= | base64 -d; echo; strings -n 4 /usr/bin/busybox | grep -c . | grep -q '[0-9]' && echo strings
echo 'ed works' > e; printf '1s/works/edits/\nw\nq\n' | ed e; cat e; shuf -i 1-10 | sort -n | tr '\n' ' '; echo; od -An -N2 -tu2 < /dev/zero; mktemp -p . XXXXXX | wc -c; basename /a/b.c .c; dirname /a/b.c
