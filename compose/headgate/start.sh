# Headgate reads the replication account's password from a file; a demonstration has its passwords in the
# environment.
umask 077
printf '%s' "$REPLICATION_PASSWORD" >/tmp/replication-password
exec headgate "$@"
