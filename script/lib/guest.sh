#!/usr/bin/env bash
# Builds the program that runs inside a machine and prints its path; a `guest` in MAGS_BIN is taken as it is.
# --check builds its sources as ordinary Swift instead.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/cache.sh"

if [[ ${1:-} != --check && -n ${MAGS_BIN:-} && -x $MAGS_BIN/guest ]]; then
    realpath "$MAGS_BIN/guest"
    exit 0
fi
require swiftc
architecture=$(uname -m)
toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")
export SWIFT_EMBEDDED_LIBRARIES="$toolchain/lib/swift/embedded/$architecture-unknown-linux-gnu"
export MUSL_HEADERS="/usr/include/$architecture-linux-musl" MUSL_LIBRARIES="/usr/lib/$architecture-linux-musl"
[[ -f $MUSL_LIBRARIES/libc.a ]] || { echo "musl is missing: install musl-tools (script/up does)." >&2; exit 1; }

cd "$root/Guest"
if [[ ${1:-} == --check ]]; then
    GUEST_FULL=1 swift build -c debug --scratch-path "$scratch/guest-full" >&2
    exit 0
fi
swift build -c release --scratch-path "$scratch/guest" >&2
built="$scratch/guest/release/guest"
say "the guest is $(( ($(stat -c %s "$built") + 1023) / 1024 )) KB"
echo "$built"
