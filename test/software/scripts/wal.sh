# A database on a file with a write-ahead log, used by several processes.
db() { sqlite3 -cmd '.timeout 20000' shop.db "$1"; }
db 'PRAGMA journal_mode=WAL; CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL); CREATE INDEX by_price ON item(price);'
db "INSERT INTO item(name, price) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT 'item ' || i, (i * 7919 % 1000) / 10.0 FROM n;"
db 'SELECT count(*), sum(price), min(price), max(price) FROM item;'
# A reader keeps its snapshot while another process writes.
mkfifo commands
sqlite3 shop.db < commands > reader & exec 5> commands
echo "BEGIN; SELECT 'before', count(*) FROM item;" >&5
i=0; while [ ! -s reader ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done
db "INSERT INTO item(name, price) VALUES('late', 1.5);"
ls shop.db*
echo "SELECT 'same snapshot', count(*) FROM item; COMMIT; SELECT 'after', count(*) FROM item;" >&5
exec 5>&-; wait; cat reader
for w in 1 2 3 4; do (for k in 1 2 3; do db "INSERT INTO item(name, price) VALUES('writer $w', $k);"; done) & done; wait
db "SELECT name, count(*) FROM item WHERE name LIKE 'writer%' GROUP BY name;"
db 'BEGIN IMMEDIATE; DELETE FROM item; ROLLBACK; SELECT count(*) FROM item; PRAGMA integrity_check; PRAGMA wal_checkpoint(TRUNCATE);'
db 'PRAGMA journal_mode=DELETE; VACUUM; PRAGMA page_count;' ; ls shop.db*
db 'SELECT name, price FROM item ORDER BY 1, 2;' | md5sum; echo 'not a database, but long enough to look at: 0123456789' > bad.db; sqlite3 bad.db 'SELECT * FROM item'; echo "status $?"
