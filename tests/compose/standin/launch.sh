#!/bin/bash
# Starts the program of its own name from /opt/server, which was unpacked from packages together with
# the libraries and the loader that they were built for.
name=${0##*/}
root=/opt/server
for loader in $root/{lib64,usr/lib64,lib/*,usr/lib/*}/ld-linux*; do
    [ -f "$loader" ] && [ ! -L "$loader" ] && break
done
for program in $root/usr/{sbin,bin}/"$name"; do
    [ -f "$program" ] && break
done
libraries=$(printf '%s:' $root/{usr/lib,lib}/*-linux-gnu $root/usr/lib/mysql/private)
export MARIADB_PLUGIN_DIR
MARIADB_PLUGIN_DIR=$(echo $root/usr/lib/*-linux-gnu/libmariadb3/plugin)
exec "$loader" --library-path "$libraries" "$program" "$@"
