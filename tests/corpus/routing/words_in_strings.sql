-- Words that decide something stand where they decide nothing, and the other way round.

-- > replica plain_read
SELECT 'FOR UPDATE'
SELECT "FOR UPDATE", 'INTO OUTFILE', 'LOCK IN SHARE MODE' FROM t
SELECT c FROM t WHERE c = '; DROP TABLE t; --'
SELECT c FROM t WHERE c = 'it''s /*!50000 FOR UPDATE */'
SELECT c FROM t WHERE c = 'a\' FOR UPDATE'
SELECT c FROM t WHERE c = 'a\\'
SELECT c FROM t WHERE c = "a\"b"
SELECT c FROM t WHERE c = "a""b; INSERT INTO t VALUES (1)"
SELECT '/*', c, '*/' FROM t
SELECT 'x' -- FOR UPDATE
SELECT 'x' # FOR UPDATE
SELECT 1 /* FOR UPDATE */
SELECT 1 /* INTO OUTFILE 'x' */ FROM t
SELECT `for update` FROM odd
SELECT `into`, `lock`, `call`, `select` FROM odd
SELECT odd.into, odd.lock FROM odd
SELECT now, user, uuid, sleep, get_lock FROM odd
SELECT `now`, `current_user` FROM odd
SELECT a AS `FOR UPDATE` FROM t
SELECT a 'LOCK IN SHARE MODE' FROM t
SELECT 'SELECT ''x'' FOR UPDATE'
SELECT _utf8mb4'FOR UPDATE', N'INTO @a', x'464f52'
SELECT * FROM t WHERE c IN ('INSERT', 'UPDATE', 'DELETE', 'CALL')
SELECT 'multi«0a»line FOR«0a»UPDATE'

-- Comments and white space in odd places.
/* hello */ SELECT 1
/**/SELECT/**/1/**/
-- hello«0a»SELECT 1
# hello«0a»SELECT 1
--«0a»SELECT 1
«09»«0a» «0d»«0a»SELECT«0a»1
SELECT«0b»1
SELECT«0c»1
SELECT /* ' */ 1 /* " */ FROM /* ` */ t
SELECT 1 -- it's«0a»FROM t
SELECT 1 # it's«0a»FROM t
SELECT 1 --«09»x«0a»FROM t
SELECT a /* a /* b */ FROM t
SELECT 1 /***/
SELECT/* FOR UPDATE */a/* INTO */FROM/*;*/t
SELECT 1 /* unlikely: -- */ + 1
/* ApplicationName=DBeaver */ SELECT * FROM t
/*application='shop',traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01'*/ SELECT * FROM t
SELECT * FROM t /* app:shop,controller:items#index */
SELECT 1--1
SELECT 5--

-- A comment that is none, so that what it holds counts.
-- > primary not_plain
SELECT * FROM t --1«0a»FOR UPDATE
SELECT * FROM t -- x«0a»FOR UPDATE
SELECT * FROM t # x«0a»FOR UPDATE
SELECT * FROM t /* x */ FOR /* y */ UPDATE
SELECT * FROM t WHERE c = 'x\\' FOR UPDATE
SELECT * FROM t WHERE c = 'x''' FOR UPDATE
SELECT * FROM t WHERE c = "x'" FOR UPDATE -- '
SELECT * FROM `t` FOR UPDATE
SELECT * FROM t WHERE c = '/*' FOR UPDATE -- */
SELECT * FROM t WHERE c = '-- ' FOR UPDATE
SELECT * FROM t WHERE c = '#' FOR UPDATE

-- ? sql_mode=NO_BACKSLASH_ESCAPES
-- > replica plain_read
SELECT c FROM t WHERE c = 'a\'
SELECT c FROM t WHERE c = 'a\' OR c = 'b'
SELECT c FROM t WHERE c = "\" OR c = "FOR UPDATE"
SELECT 'FOR UPDATE\'
-- > primary not_plain
SELECT c FROM t WHERE c = '\' FOR UPDATE -- '
SELECT c FROM t WHERE c = '\' INTO @a -- '
-- > primary several
SELECT c FROM t WHERE c = '\' ; DELETE FROM t -- '

-- ? sql_mode=ANSI_QUOTES
-- > replica plain_read
SELECT "a" FROM "t"
SELECT "for update" FROM odd
SELECT "t"."a" FROM "app"."t" AS "x"
SELECT "into" FROM odd WHERE "lock" = 'FOR UPDATE'
-- > primary not_plain
SELECT "a" FROM "t" FOR UPDATE
SELECT * FROM "mysql"."user"
SELECT "a\" FROM t FOR UPDATE -- "
-- > primary stored_function
SELECT "writes_reads_sql_data"(1)

-- ? sql_mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES
-- > replica plain_read
SELECT "a" FROM t WHERE c = '\'
-- > primary not_plain
SELECT "a" FROM t WHERE c = '\' FOR UPDATE

-- ? sql_mode=ANSI
-- > replica plain_read
SELECT "a" FROM "t"
SELECT 'a' || 'b' FROM t
