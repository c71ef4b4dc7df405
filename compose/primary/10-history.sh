# Sourced by the image's entrypoint, once, when the data folder is new.
#
# So far each server has made its accounts and the empty database by itself. Some of it is in the
# binary log and some is not, and MySQL and MariaDB differ in which. The replicas have it all
# already: the history that they will follow starts here, empty.
docker_process_sql <<<'RESET BINARY LOGS AND GTIDS' 2>/dev/null || docker_process_sql <<<'RESET MASTER'
