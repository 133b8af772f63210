# How the scripts talk: one line a part with the seconds it took, its full output in a log, and on failure the end of
# that log. Sourced after paths.sh.
log_folder=$MAGS_CACHE/log
started_at=$EPOCHREALTIME

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    shift
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

# An interrupted script says so, and that nothing is lost.
say_when_interrupted() {
    trap 'say_interrupted INT' INT
    trap 'say_interrupted TERM' TERM
    trap 'say_interrupted HUP' HUP
}

say_interrupted() {
    trap '' INT TERM HUP
    [ -z "${beat:-}" ] || kill "$beat" 2>/dev/null || true
    printf '\n%s: interrupted; what is done is kept. Run it again to go on, or script/down to end the server.\n' \
        "$(basename "$0")" >&2 || true
    trap - INT TERM HUP EXIT
    kill -s "$1" $$
}

# writable FOLDER VARIABLE: makes it when it is not there; ends the script when it cannot be written.
writable() {
    local reason probe
    if reason=$(mkdir -p "$1" 2>&1) && probe=$(mktemp "$1/.write-test.XXXXXX" 2>&1); then
        if (echo probe >"$probe") 2>/dev/null; then rm -f "$probe"; return; fi
        rm -f "$probe"
        reason="nothing can be stored there; is the disk full?"
    fi
    reason=${reason:-$probe}
    die "cannot write to $1" "${reason##*: }" "Mend that, or set $2 to another folder of yours, and run this again."
}

# While a part runs, says what its log says last: on a terminal in the part's own line, elsewhere every 20 s when that is
# something new. Ends with its parent, however that ends, and has no child of its own that could stay behind.
heartbeat() {
    local log=$1 name=$2 every=20 last='' said='' silence room=100
    if [ -t 1 ]; then
        every=2 room=$(($(tput cols 2>/dev/null || echo 80) - 50))
        [ "$room" -gt 9 ] || return 0
    fi
    exec {silence}<> <(:)
    until read -r -t "$every" -u "$silence"; do
        kill -0 $$ 2>/dev/null || return
        last=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^ *$' | tail -n 1 | tr -d '[:cntrl:]')
        [ "$last" != "$said" ] || continue
        said=$last
        if [ -t 1 ]; then
            printf '\r\033[K  %-44s %s' "$name" "${last:0:room}"
        else
            printf '\n      … %s\n  %-44s' "${last:0:room}" "$name"
        fi
    done
}

# part NAME LOG COMMAND…: runs it, ends the script when it fails.
part() {
    local name=$1 log=$log_folder/$2.log since=$EPOCHREALTIME beat status=0
    shift 2
    [ -d "$log_folder" ] || writable "$log_folder" MAGS_CACHE
    printf '  %-44s' "$name"
    # It waits for nobody's lock.
    heartbeat "$log" "$name" 9>&- &
    beat=$!
    # In a shell of its own: what ends it ends the part, and then the log is shown.
    ("$@") >"$log" 2>&1 </dev/null || status=$?
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
    beat=
    if [ -t 1 ]; then printf '\r\033[K  %-44s' "$name"; fi
    if [ "$status" != 0 ]; then
        printf ' failed after %s s\n\n' "$(seconds_since "$since")"
        tail -n 40 "$log" >&2
        printf '\n%s: "%s" failed (exit %s); all of its output is in %s\n' "$(basename "$0")" "$name" "$status" "$log" >&2
        printf '    Mend what it names and run this again: what is done is kept.\n' >&2
        return "$status"
    fi
    printf ' %7s s\n' "$(seconds_since "$since")"
}
