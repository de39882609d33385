#!/usr/bin/env bash
# What the tests of the demo need beside Python: a browser, and npm for its runtime.
# Debian and its kin; elsewhere install Chromium and Node by your own means.
set -euo pipefail
missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v npm > /dev/null || missing+=(npm)
if ((${#missing[@]})); then
    as_root=()
    if ((EUID)); then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" > /dev/null
fi
