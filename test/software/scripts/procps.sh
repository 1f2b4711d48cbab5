# Debian's procps: headings and names as they are, numbers held to what must be true of them.
for name in free vmstat slabtop pmap ps top; do eval "$name() { /usr/bin/$name \"\$@\"; }"; done
mask() { sed -E 's/[0-9]+(\.[0-9]+)?/N/g; s/ +/ /g; s/^ //'; }
say() { echo "== $*"; }

say free
free | mask | sed 's/ *$//'
free -b | awk 'NR == 2 { print "used is less than total", ($3 < $2), "free too", ($4 < $2), "available", ($7 > 0 && $7 <= $2), "cache", ($6 > 0) }'

say vmstat
vmstat | head -2
vmstat -s | mask
vmstat -s | awk '/total memory/ { t = $1 } /used memory/ { u = $1 } /free memory/ { f = $1 } END { print "used and free are in total", (u > 0 && f > 0 && u + f <= t * 1.05) }'
vmstat -m | awk 'NR == 1 { print; next } { bad += ($2 > $3 || $4 <= 0 || $5 <= 0); n++ } END { print "caches", (n > 5), "with more objects than room", bad + 0 }'

say slabtop
slabtop -o | sed -n 7p | sed 's/ *$//'
slabtop -o -s c | awk 'NR > 7 { n++; if ($2 > $1) bad++ } END { print "rows", (n > 5), "more active than there are", bad + 0 }'

say pmap
busybox sleep 100 &
sleeper=$!
busybox sleep 0.2
pmap -x $sleeper | awk '/^0/ { print $5, $6, $7, $8 }' | sed 's/ *$//' | sort | uniq -c | mask
pmap -X $sleeper | sed -n 2p | tr -s ' ' '\n' | grep -v '^$' | tr '\n' ' '; echo
pmap -x $sleeper | awk '/^0/ { size += $2; rss += $3; dirty += $4; if ($3 > $2 || $4 > $3) bad++ } /^total/ { print "sums", (size == $3), (rss == $4), (dirty == $5), "rows that contradict themselves", bad + 0 }'
pmap -X $sleeper | awk 'NR == 2 { for (i = 1; i <= NF; i++) at[$i] = i } NR > 2 && $2 ~ /^[r-][w-][x-][ps]$/ { n++; if ($at["Pss"] > $at["Rss"] || $at["Rss"] > $at["Size"] || $at["Pss_Dirty"] > $at["Pss"] || $at["Anonymous"] > $at["Rss"]) bad++ } END { print "mappings", (n > 5), "that contradict themselves", bad + 0 }'
pmap -d $sleeper | tail -1 | mask

say ps
ps -o rss,vsz,maj_flt,min_flt,comm -p $sleeper | awk 'NR == 1 { print $1, $2, $3, $4, $5; next } { print ($1 > 0), ($1 <= $2), ($4 > 0), $5 }'
ps -o pid,vsz,rss -p $sleeper | awk -v pmap="$(pmap -x $sleeper | awk '/^total/ { print $3, $4 }')" 'NR == 2 { split(pmap, of); print "as pmap says: size", ($2 == of[1]), "resident", ($3 == of[2]) }'
ps -o size,drs,trs,pmem -p $sleeper | mask

say top
top -bn1 | sed -n '4,7p' | mask | sed 's/ *$//'
top -bn1 -p $sleeper | tail -1 | awk '{ print ($1 > 1), ($5 > 0), ($6 > 0), $12 }'

kill $sleeper
