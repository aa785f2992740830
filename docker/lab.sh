#!/bin/sh
# The service `lab`: JupyterLab. Its port is published on 127.0.0.1 only; the token is JUPYTER_TOKEN, else a printed one.
set -eu
[ -n "${JUPYTER_TOKEN:-}" ] || unset JUPYTER_TOKEN
allow=$([ "$(id -u)" -ne 0 ] || echo --allow-root)
exec jupyter lab --ip=0.0.0.0 --port=8888 --no-browser ${allow:+"$allow"}
