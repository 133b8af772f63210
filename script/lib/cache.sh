# Sourced by the scripts that make what boots in a machine: a working folder that goes with the script, and results
# that appear in the cache whole or not at all. Progress goes to standard error, the result's path to standard output.
source "$(dirname "${BASH_SOURCE[0]}")/paths.sh"

say() { echo "==> $*" >&2; }

require() {
    local program missing=()
    export PATH="$PATH:/usr/sbin:/sbin"
    for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
    if (( ${#missing[@]} )); then
        echo "missing: ${missing[*]}. As root, script/up installs the packages that bring them; swiftc comes with Swift" \
            "from swift.org, whose usr/bin must be on the PATH." >&2
        exit 1
    fi
}

# Sets `work` to a new folder that is gone when the script ends.
make_work_folder() {
    mkdir -p "$MAGS_CACHE/work"
    # One that was killed could not take its own away.
    find "$MAGS_CACHE/work" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf --one-file-system {} +
    work=$(mktemp -d "$MAGS_CACHE/work/$1.XXXXXX")
    trap 'rm -rf "$work"' EXIT
}

# publish MADE FOLDER NAME: moves a finished folder to its name and points `current` to it.
publish() {
    local made=$1 folder=$2 name=$3
    mkdir -p "$folder"
    if [[ -e $folder/$name ]]; then
        touch "$folder/$name"/*
    else
        # Somebody else may have finished the same thing a moment ago.
        mv -T "$made" "$folder/$name" 2>/dev/null || [[ -e $folder/$name ]]
    fi
    ln -sfn "$name" "$folder/.current.$$"
    mv -Tf "$folder/.current.$$" "$folder/current"
}
