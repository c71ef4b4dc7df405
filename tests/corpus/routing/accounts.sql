-- Accounts and privileges.

-- > primary account
CREATE USER IF NOT EXISTS corpus_user IDENTIFIED BY 'x'
ALTER USER corpus_user IDENTIFIED BY 'y'
GRANT SELECT ON app.* TO corpus_user
grant select on app.t to corpus_user
REVOKE SELECT ON app.* FROM corpus_user
CREATE ROLE IF NOT EXISTS corpus_role
GRANT corpus_role TO corpus_user
DROP ROLE IF EXISTS corpus_role
RENAME USER corpus_user TO corpus_user2
DROP USER IF EXISTS corpus_user, corpus_user2
FLUSH PRIVILEGES
FLUSH LOCAL PRIVILEGES
-- ? harmful
-- > primary account
SET PASSWORD = 'x'
SET PASSWORD FOR root = 'x'
SET DEFAULT ROLE NONE TO root
