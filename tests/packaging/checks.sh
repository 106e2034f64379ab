# What the scripts beside it have in common: checks, which are counted, and ends.
# shellcheck shell=bash
passed=0

fail() {
    echo "$*" >&2
    exit 1
}

# skip WHY: this machine cannot try it.
skip() {
    echo "SKIPPED: $*" >&2
    exit 77
}

# same WHAT EXPECTED ACTUAL
same() {
    [ "$2" = "$3" ] || fail "$1: $3, not $2"
    passed=$((passed + 1))
}

# holds WHAT TEXT PART
holds() {
    case $2 in
    *"$3"*) passed=$((passed + 1)) ;;
    *) fail "$1: no \"$3\" in $2" ;;
    esac
}
