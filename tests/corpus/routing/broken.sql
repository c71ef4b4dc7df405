-- Bytes that are no sentence, or that not everyone reads as the same one.

-- > primary not_plain
SELECT 'a
SELECT "a
SELECT `a
SELECT /* a
SELECT * FROM t WHERE c = 'x' AND 'FOR UPDATE
SELECT 1«00»
SELECT«00»1
SELECT 1 «00» FOR UPDATE
«00»SELECT 1
SELECT \N
SELECT 1 \G
SELECT 1.LOCK IN SHARE MODE
SELECT 1.FOR UPDATE
SELECT * FROM t WHERE a=1e1LOCK IN SHARE MODE
SELECT f/*+ x */(1)
SELECT {d '2020-01-01'}
SELECT {fn NOW()}
SELECT c FROM t WHERE id = ?
SELECT * FROM t WHERE id = :id
SELCT 1
S ELECT 1
1
'x'
)
()
@a
(INSERT INTO t (a) VALUES (1))
größe
SELECT größe FROM t
SELECT * FROM größe
SELECT 1«a0»FOR«a0»UPDATE
SELECT * FROM t«a0»FOR UPDATE
SELECT«a0»1
SELECT 1 --«a0»1
SELECT «ff»«fe» FROM t
«ef»«bb»«bf»SELECT 1
SELECT 1 «e3»«80»«80»FOR UPDATE
SELECT _gbk'«bf»\'
SELECT _sjis'«83»\' FOR UPDATE -- '
SELECT _no_such_charset'x'

-- The server will not take these; what it says of them comes from the primary.
-- > replica plain_read
SELECT
SELECT FROM t WHERE
SELECT $1$2 FROM t WHERE $
SELECT 1 +
SELECT a b c d FROM t

-- > replica plain_read
SELECT 'größe', "naïve" FROM t
SELECT `größe` FROM odd
SELECT 'a«a0»b'
SELECT '«ff»«fe»'
SELECT 1 /* größe */
SELECT 1 -- größe
SELECT '日本語', '🐬'
SELECT _binary'«00»«ff»'

-- In these character sets the second byte of a character may be a quote's or a backslash's neighbour.
-- ? charset=gbk
-- > replica plain_read
SELECT 1
SELECT 'a' FROM t
-- > primary not_plain
SELECT '«bf»\' FOR UPDATE -- '
SELECT '«bf»\\' FROM t
SELECT 'größe'
SELECT 'a\'b'
-- ? charset=sjis
-- > replica plain_read
SELECT 1 FROM t
-- > primary not_plain
SELECT '«83»\' FOR UPDATE -- '
SELECT 'a\\b'
-- ? charset=big5
-- > primary not_plain
SELECT '«a5»\' INTO @a -- '
