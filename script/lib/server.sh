# The server of MAGS_HOME: is it ours, does it answer, start it, stop it. Sourced after report.sh.

# A field of /proc/PID/stat, counted from the state (1) as in proc(5) from field 3 on.
stat_field() { awk -v field="$2" '{ sub(/.*\) /, ""); print $field }' "/proc/$1/stat" 2>/dev/null; }

# A process that has ended but was not yet collected runs nothing any more.
is_running() { case $(stat_field "$1" 1) in '' | Z | X) return 1 ;; esac; }

# Prints the pid in a pid file when it names a living process of this server; a number that the kernel has given to
# somebody else since (started after the file was written) is not ours.
living() {
    local file=$1 pid='' started written
    [ -r "$file" ] || return 1
    read -r pid _ <"$file" || true
    case $pid in '' | *[!0-9]*) return 1 ;; esac
    is_running "$pid" || return 1
    started=$(awk -v tick="$(getconf CLK_TCK)" -v ticks="$(stat_field "$pid" 20)" \
        '/^btime/ { print int($2 + ticks / tick) }' /proc/stat)
    written=$(stat -c %Y "$file" 2>/dev/null) || return 1
    [ "$started" -le $((written + 2)) ] && printf '%s\n' "$pid"
}

supervisor() { living "$MAGS_HOME/run/magsd.pid"; }

# Calls the API of this home: api PATH [CURL ARGUMENT…]. Never through a proxy: it is this machine.
api() {
    local path=$1
    shift
    curl --silent --show-error --fail --noproxy '*' --max-time 10 "$@" "http://127.0.0.1:$(cat "$MAGS_HOME/port")$path"
}

# It answers, and its machines can be made.
is_ready() { [[ $(api /health 2>/dev/null) =~ \"status\"\ *:\ *\"ok\" ]]; }

# cannot_listen PORT: says why the server could not listen there, and fails when it could. perl is on every Debian.
cannot_listen() {
    perl -MSocket -e '
        my $socket;
        socket($socket, PF_INET, SOCK_STREAM, 0) && setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1)
            && bind($socket, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) && listen($socket, 1) && exit 1;
        print lcfirst "$!\n"' "$1"
}

free_port() {
    local port
    for port in $(seq 8042 8141); do
        cannot_listen "$port" >/dev/null || { printf '%s\n' "$port"; return; }
    done
    die "no free port between 8042 and 8141" "Name one: script/up --port N"
}

# What a running server was started with; when it changes, up starts the server again.
ingredients() {
    printf 'boot %s\nimage %s\n' "$(readlink "$MAGS_CACHE/boot/current")" \
        "$(readlink "$MAGS_CACHE/images/standard/current")"
}

# Starts it and waits until it can make machines, for which it makes the first one. One that cannot is stopped again.
start_server() {
    local magsd=$1 port=$2 pid log=$MAGS_HOME/log/magsd.log from since why=
    # The caller asks for the result, so nothing ends by itself here.
    mkdir -p "$MAGS_HOME/log" "$MAGS_HOME/run" && printf '%s\n' "$port" >"$MAGS_HOME/port.new" &&
        mv "$MAGS_HOME/port.new" "$MAGS_HOME/port" && ingredients >"$MAGS_HOME/started-with" &&
        shift_log "$log" && from=$(stat -c %s "$log") || return
    # Nobody but the script itself may hold its lock.
    setsid "$magsd" --home "$MAGS_HOME" --port "$port" >>"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    trap 'kill -TERM "$pid"; exit 130' INT TERM HUP
    since=$SECONDS
    until is_ready; do
        if ! is_running "$pid"; then
            why="magsd ended at once."
        elif [ $((SECONDS - since)) -ge 300 ]; then
            why="magsd (pid $pid) was not ready after 5 minutes."
        else
            why=$(failing_role "$log" "$from")
        fi
        [ -z "$why" ] || break
        sleep 0.2
    done
    [ -n "$why" ] || return 0
    end_in_order "$pid"
    log_since "$log" "$from" | grep -v '^Error: ' | tail -n 20
    say
    say "$why"
    log_since "$log" "$from" | grep '^Error: ' | tail -n 1 || true
    say "It was stopped again. Its log: $log. What this machine lacks: $magsd doctor --home $MAGS_HOME"
    return 1
}

# shift_log LOG: makes way for a new one when it is as long as the server lets it grow, and makes it when there is none. The
# server would do so only after its first words, which would be gone from here.
shift_log() {
    local bytes
    if bytes=$(stat -c %s "$1" 2>/dev/null) && [ "$bytes" -gt $((64 << 20)) ]; then mv -f "$1" "$1.1" || return; fi
    touch "$1"
}

# log_since LOG FROM: what it has got since it had that many bytes; all that there is when the server emptied it meanwhile.
log_since() {
    local from=$2
    [ "$(stat -c %s "$1")" -ge "$from" ] || from=0
    tail -c "+$((from + 1))" "$1"
}

# failing_role LOG FROM: a sentence when one of the server's processes has ended again and again since that byte.
failing_role() {
    log_since "$1" "$2" | grep -E 'role ended|role not started' | sed -n 's/.* role=\([a-z]*\) .*/\1/p' |
        sort | uniq -c |
        awk '$1 >= 3 { print "The server'"'"'s process \"" $2 "\" ended or failed " $1 " times one after the other."; exit }'
}

# SIGTERM, up to 60 s for an orderly end, then SIGKILL.
end_in_order() {
    local pid=$1
    if ! kill -TERM "$pid" 2>/dev/null && is_running "$pid"; then
        die "the server (pid $pid) is $(stat -c %U "/proc/$pid")'s, not yours to stop" "Run this as $(stat -c %U "/proc/$pid"), or as root."
    fi
    for _ in $(seq 600); do
        is_running "$pid" || return 0
        sleep 0.1
    done
    say "the server did not end within 60 s; ending it by force"
    kill -KILL "$pid" 2>/dev/null || true
}

# The supervisor in order, then by force what the pid files name.
stop_server() {
    local pid file
    if pid=$(supervisor); then end_in_order "$pid"; fi
    for file in "$MAGS_HOME"/run/*.pid; do
        if pid=$(living "$file"); then
            say "still running: $(basename "$file" .pid) (pid $pid); ending it"
            kill -KILL "$pid" 2>/dev/null || true
        fi
    done
}
