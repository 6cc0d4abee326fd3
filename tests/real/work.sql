-- A deterministic workload: inserts, indexes, joins, text, JSON, windows, updates, deletes and integrity, in memory.
CREATE TABLE item(id INTEGER PRIMARY KEY, kind INT, name TEXT, body TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, (i * 7919) % 101, 'name ' || ((i * 104729) % 60000), hex(zeroblob(i % 90)) || i FROM n;
CREATE INDEX by_kind ON item(kind, name);
CREATE INDEX by_name ON item(name);
SELECT kind, count(*), max(name), sum(length(body)) FROM item GROUP BY kind ORDER BY kind LIMIT 20;
SELECT count(*), sum(a.id), sum(b.id) FROM item a JOIN item b ON a.name = b.name WHERE a.kind < 50;
UPDATE item SET body = replace(body, '00', 'xyz') WHERE kind % 3 = 0;
DELETE FROM item WHERE id % 7 = 0;
SELECT count(*), sum(length(body)), min(name), max(body) FROM item;
SELECT kind, length(group_concat(name, ';')) FROM item GROUP BY kind ORDER BY 2 DESC, 1 LIMIT 10;
SELECT sum(r) FROM (SELECT row_number() OVER (PARTITION BY kind ORDER BY name DESC) AS r FROM item);
SELECT json_extract(j, '$.b[1]'), json_array_length(j, '$.b') FROM (SELECT json_object('a', id, 'b', json_array(kind, name, body)) AS j FROM item) LIMIT 5;
SELECT sum(length(json_group_array(name))) OVER () FROM item GROUP BY kind LIMIT 1;
BEGIN;
INSERT INTO item SELECT id + 100000, kind, upper(name), body || body FROM item;
ROLLBACK;
VACUUM;
PRAGMA integrity_check;
SELECT count(DISTINCT name) FROM item;
