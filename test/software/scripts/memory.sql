CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT UNIQUE, score REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
  INSERT INTO word(text, score) SELECT printf('w%05d', (i * 7919) % 100003), (i * i) % 977 / 7.0 FROM n;
SELECT count(*), round(sum(score), 6), min(text), max(text) FROM word;
SELECT substr(text, 1, 3) AS head, count(*), round(avg(score), 3) FROM word GROUP BY head ORDER BY head LIMIT 12;
WITH RECURSIVE f(a, b, n) AS (SELECT 0, 1, 0 UNION ALL SELECT b, a + b, n + 1 FROM f WHERE n < 60) SELECT a FROM f WHERE n = 60;
BEGIN; UPDATE word SET score = score + 1 WHERE id % 3 = 0; SAVEPOINT s; DELETE FROM word; ROLLBACK TO s; COMMIT;
SELECT a.text, b.text FROM word a JOIN word b ON b.id = a.id + 1 WHERE a.score > 139 ORDER BY a.text LIMIT 5;
SELECT json_extract('{"a":[1,2,{"b":3}]}', '$.a[2].b'), hex(zeroblob(4)), quote('it''s'), abs(-5), upper('x'), 1.0 / 3, 7 / 2, 1e308 * 10;
SELECT id, rank() OVER (ORDER BY score DESC, id) FROM word ORDER BY 2 LIMIT 4;
CREATE VIRTUAL TABLE t USING fts5(body); INSERT INTO t VALUES('the quick brown fox'), ('lazy dogs sleep'), ('quick dogs'); SELECT body FROM t WHERE t MATCH 'quick' ORDER BY body;
SELECT * FROM missing;
EXPLAIN QUERY PLAN SELECT * FROM word WHERE text = 'w00001';
