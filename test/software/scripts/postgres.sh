# A PostgreSQL server: processes that share memory, files in tmpfs, unix sockets.
bin=/usr/lib/postgresql/17/bin
if [ "$(id -u)" = 0 ]; then
  echo 'shop:x:1000:1000::/tmp:/bin/sh' > /etc/passwd; echo 'shop:x:1000:' > /etc/group
  mkdir data run; chown 1000:1000 data run
  exec /programs/as_user /usr/bin/busybox sh /scripts/postgres.sh
fi
export USER=shop
$bin/initdb -D data -A trust -U shop > run/initdb 2>&1 || { cat run/initdb; exit 1; }
$bin/pg_ctl -D data -l run/log -w -o "-c listen_addresses='' -k /tmp/run" start > run/start || { cat run/log; exit 1; }
tail -1 run/start
query() { $bin/psql -h /tmp/run -U shop -d postgres -X -q -At "$@"; }
query -c "create table item(id int primary key, name text, price numeric)" \
  -c "insert into item select i, md5(i::text), i * 7919 % 1000 / 10.0 from generate_series(1, 3000) i" \
  -c "create index on item(price)" -c "select count(*), sum(price), max(name) from item" \
  -c "select price, count(*) from item group by price order by 2 desc, 1 limit 3" \
  -c "begin; delete from item; rollback; select count(*) from item" \
  -c "insert into item values(1, 'twice', 0)"
echo "status $?"
for w in 1 2 3; do (for k in 1 2 3 4; do query -c "update item set price = price + 1 where id = 1"; done) & done; wait
query -c "select price from item where id = 1" -c "vacuum analyze item"
query -c "select name, setting from pg_settings where name in ('shared_memory_type', 'dynamic_shared_memory_type', 'huge_pages') order by 1"
query -c "set max_parallel_workers_per_gather = 2; set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0; select count(*) from item a, item b where a.price = b.price"
$bin/pg_ctl -D data -w stop > run/stop; tail -1 run/stop
