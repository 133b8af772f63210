# Where things are. Sourced by every script; the names are described in README.md, "Files and variables".
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
if [ -z "${MAGS_HOME:-}" ]; then
    if [ "$(id -u)" = 0 ]; then MAGS_HOME=/var/lib/mags; else MAGS_HOME=${XDG_DATA_HOME:-$HOME/.local/share}/mags; fi
fi
MAGS_HOME=$(realpath -m "$MAGS_HOME")
MAGS_CACHE=$(realpath -m "${MAGS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mags}")
MAGS_CONFIG=${MAGS_CONFIG:-$HOME/.mags/config.json}
# Outside the clone on purpose: the next clone compiles our own modules only.
scratch=${MAGS_SCRATCH:-$MAGS_CACHE/swift}
export HOME MAGS_HOME MAGS_CACHE MAGS_CONFIG MAGS_SCRATCH="$scratch"
