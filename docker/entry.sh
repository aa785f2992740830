#!/bin/sh
# Every container of the image begins here, as its user (1000, without any privilege), and goes on as the owner of the
# project folder that is mounted at /app: what a run makes in ./output, ./data and ./models then belongs to whoever
# made the clone, without a word about user ids on the command line. `become` is setpriv with the two capabilities that
# this takes; from there on no_new_privs keeps everybody from gaining any. Where the folder is writable as it is
# (user 1000, Docker Desktop, no mount at all), nothing changes. A folder that belongs to root is worked on as root
# with no other capability: root's files can be had in no other way (with rootless Docker, this root is the caller).
set -eu
export HOME=/tmp
owner=$(stat -c %u .) group=$(stat -c %g .)
if [ "$owner" = "$(id -u)" ] || [ -w . ]; then
    exec setpriv --no-new-privs -- "$@"
fi
getent passwd "$owner" >/dev/null || echo "owner:x:$owner:$group::/tmp:/bin/sh" >>/etc/passwd
exec become --reuid="$owner" --regid="$group" --clear-groups --no-new-privs -- "$@"
