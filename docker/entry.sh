#!/bin/sh
# Every container of the image starts here as the image's user (1000, without privileges) and continues as the owner of
# the project folder that is mounted at /app. That user then owns what a run writes to ./output, ./data and ./models,
# without user ids on the command line. `become` is setpriv with the two capabilities that this takes; no_new_privs
# then prevents gaining any. If the folder is already writable (user 1000, Docker Desktop, no mount), nothing changes.
# A folder of root is used as root without other capabilities, because only root can write to it (with rootless Docker,
# this root is the calling user).
set -eu
export HOME=/tmp
owner=$(stat -c %u .) group=$(stat -c %g .)
if [ "$owner" = "$(id -u)" ] || [ -w . ]; then
    exec setpriv --no-new-privs -- "$@"
fi
getent passwd "$owner" >/dev/null || echo "owner:x:$owner:$group::/tmp:/bin/sh" >>/etc/passwd
exec become --reuid="$owner" --regid="$group" --clear-groups --no-new-privs -- "$@"
