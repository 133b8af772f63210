# Usage and wrong arguments, alike for all scripts: the comment at the top of a script is its help. Sourced first.

print_usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# wrong_usage TEXT: ends the script with 64, as sysexits.h has it.
wrong_usage() {
    printf '%s: %s\n    script/%s --help shows what it takes.\n' "$(basename "$0")" "$1" "$(basename "$0")" >&2
    exit 64
}

# take_no_arguments "$@": of a script that takes none.
take_no_arguments() {
    [ $# -gt 0 ] || return 0
    case $1 in
        -h | --help) print_usage; exit 0 ;;
        *) wrong_usage "unknown argument: $1" ;;
    esac
}
