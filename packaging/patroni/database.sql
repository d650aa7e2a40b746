-- The daemons' role and database, made once, on the primary: psql <database.sql, as the superuser, with the role's password in
-- the environment, where ps does not show it. The role owns the database, so that the first daemon that starts makes the
-- tables (docs/store.md, Making it).
\set ON_ERROR_STOP on
\getenv password LIHANDOVER_PASSWORD
CREATE ROLE lihandover LOGIN PASSWORD :'password';
-- So that a start sees whether a synchronous standby is connected.
GRANT pg_read_all_stats TO lihandover;
CREATE DATABASE lihandover OWNER lihandover;
REVOKE ALL ON DATABASE lihandover FROM PUBLIC;
