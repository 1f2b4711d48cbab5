# A server and its clients over a unix socket; a snapshot taken by a forked child while writes go on.
cat > redis.conf <<EOF
port 0
unixsocket /tmp/redis.sock
dir /tmp
save ""
daemonize no
logfile /tmp/redis.log
enable-debug-command yes
EOF
cli() { redis-cli -s /tmp/redis.sock "$@"; }
start() { redis-server redis.conf & server=$!; i=0; until [ "$(cli PING 2>/dev/null)" = PONG ]; do sleep 0.1; i=$((i + 1)); [ $i -lt 600 ] || exit 1; done; }
start
cli SET greeting 'hello world'; cli GET greeting; cli GET nothing; cli INCR n; cli INCRBY n 41; cli APPEND greeting '!'; cli STRLEN greeting
cli RPUSH list a b c; cli LRANGE list 0 -1; cli HSET hash f 1 g 2; cli HGETALL hash; cli SADD set x y x; cli SMEMBERS set | sort; cli ZADD z 3 c 1 a 2 b; cli ZRANGE z 0 -1 WITHSCORES
cli SET gone soon PX 50; sleep 0.3; cli GET gone; cli EVAL 'return {KEYS[1], redis.call("GET", KEYS[1]), 1 + 1}' 1 n; cli GET hash; cli NOSUCH
seq 1 300 | sed 's/.*/SET key:& value:&/' | cli | sort | uniq -c | awk '{ print $1, $2 }'
cli DEBUG POPULATE 20000 filler 50; cli DBSIZE
(cli SUBSCRIBE news > heard & echo $! > subscriber; wait) & i=0; until [ "$(cli PUBLISH news flash)" = 1 ]; do sleep 0.1; i=$((i + 1)); [ $i -lt 100 ] || break; done
sleep 0.3; kill $(cat subscriber); wait $! 2>/dev/null; tail -3 heard
# The snapshot has what was there at the fork; what is written meanwhile is only in the server.
cli CONFIG SET rdb-key-save-delay 200
cli SET marker before; cli BGSAVE
seq 1 200 | sed 's/.*/SET during:& x/' | cli | sort -u; cli SET marker after; cli DBSIZE
cli INFO persistence | sed -n 's/^\(rdb_bgsave_in_progress:[01]\).*/\1/p'
i=0; while [ "$(cli INFO persistence | sed -n 's/^rdb_bgsave_in_progress:\([01]\).*/\1/p')" = 1 ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done
cli INFO persistence | sed -n 's/^\(rdb_last_bgsave_status:[a-z]*\).*/\1/p'
cli CONFIG SET save ''; cli SHUTDOWN NOSAVE 2> /dev/null; wait $server; echo "server: $?"
ls dump.rdb; start
cli GET marker; cli DBSIZE; cli GET key:300; cli GET during:200; cli EXISTS filler:19999; cli DEBUG DIGEST
cli SET marker last; kill -TERM $server; wait $server; echo "server: $?"; grep -c 'Redis is now ready to exit' redis.log
redis-cli -s /tmp/redis.sock PING; echo "status $?"
