#!/usr/bin/env bash
# Gets SeaweedFS into var/seaweedfs, without installing it: the S3 server against which the tests keep sound in a bucket
# (tests/vault/bucket_server.py starts it). Only tests need it: where it cannot be had, they are skipped and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

TREE=var/seaweedfs
LOCK=setup/seaweedfs.lock
made_from=$(sha256sum "$LOCK" | cut -d ' ' -f 1)

# The tree gets its name only when it is whole.
fetch() {
    rm -rf "$TREE.fetching"
    .venv/bin/python -m pip --disable-pip-version-check install --no-input --quiet --no-deps --no-compile \
        --require-hashes --only-binary :all: --requirement "$LOCK" --target "$TREE.fetching" &&
        "$TREE.fetching/bin/weed" version &&
        printf '%s\n' "$made_from" >"$TREE.fetching/made-from" &&
        rm -rf "$TREE" &&
        mv "$TREE.fetching" "$TREE"
}

if [ "$(cat "$TREE/made-from" 2>/dev/null)" = "$made_from" ]; then exit; fi
trap 'rm -rf "$TREE.fetching"' EXIT
patiently "SeaweedFS, an S3 server for the tests" var/setup/seaweedfs.log fetch ||
    say "The tests that need it are skipped. Remedy: if the network is to blame, run the same command again."
