# What of a server still exists on the host: processes, and what it made in the kernel. Prints one line each, nothing
# when all is gone. Sourced after server.sh.
#
# `MAGS_HOME/instance` names the server's marks: its name is on its machines and cgroups, its number on its bridge,
# cables and rules. magsd writes it at its start and removes it when it has ended in order.

# A name and a number, or nothing. No number for a server that is not root's: each user's are numbered apart, and only
# root's have a network, so things with the same number are another's.
instance() {
    local name='' number=''
    [ -r "$MAGS_HOME/instance" ] && read -r name number <"$MAGS_HOME/instance" || return 0
    [ "$(stat -c %u "$MAGS_HOME/instance")" = 0 ] || number=
    printf '%s %s\n' "$name" "$number"
}

# Whether the number is another server's by now.
number_is_given_away() {
    [ ! -e "$MAGS_HOME/instance" ] && grep -qsE "\"index\":$1[,}]" /run/mags/register.json
}

processes_left() {
    local name=$1 folder pid
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        # Ours say so in their arguments: magsd and its roles by the home, machines by the server's name.
        { tr '\0' '\n' <"$folder/cmdline"; } 2>/dev/null |
            awk -v home="$MAGS_HOME" -v mark="mags-$name-" '
                NR == 1 { program = $0; sub(/.*\//, "", program) }
                program ~ /^magsd/ && ($0 == home || $0 == "--home=" home) { found = 1 }
                program ~ /^qemu/ && mark != "mags--" && index($0, mark) == 1 { found = 1 }
                END { exit !found }' || continue
        if is_running "$pid"; then printf 'process %s\n' "$pid"; fi
    done
}

kernel_objects_left() {
    local name=$1 number=$2
    [ -n "$name" ] || return 0
    find /sys/fs/cgroup -maxdepth 6 -depth -type d -path "*$name*" -printf 'cgroup %p\n' 2>/dev/null || true
    awk -v home="$MAGS_HOME/" 'index($5, home) == 1 { print "mount", $5 }' /proc/self/mountinfo
    if [ -z "$number" ] || number_is_given_away "$number"; then return; fi
    # Who may not list them made none either: root in a container, for one.
    { ip -o link 2>/dev/null || true; } | awk -F '[ :@]+' -v own="^mags-$number(p[0-9]+)?\$" '$2 ~ own { print "link", $2 }'
    { nft list tables 2>/dev/null || true; } | awk -v own="mags_$number" '$3 == own { print "table", $2, $3 }'
}

# leftovers NAME NUMBER
leftovers() {
    processes_left "$1"
    kernel_objects_left "$1" "$2"
}

# Removes one line of leftovers.
remove_leftover() {
    local kind=$1
    shift
    case $kind in
        process) kill -KILL "$1" ;;
        link) ip link delete "$1" ;;
        table) nft delete table "$1" "$2" ;;
        cgroup) rmdir "$1" ;;
        mount) umount "$1" ;;
    esac 2>/dev/null || true
}
