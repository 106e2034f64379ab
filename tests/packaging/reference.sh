#!/usr/bin/env bash
# The man page and the completion that were made from the tables: reference.sh PROGRAM MAN_DIR
set -euo pipefail
program=$(realpath "$1") dir=$(realpath "$2")
cd "$(dirname "$0")/../.."
. tests/packaging/checks.sh

# complete WORD...: what is offered for the last.
complete_last() {
    COMP_WORDS=(vmsnapd "$@") COMP_CWORD=$# COMPREPLY=()
    _vmsnapd vmsnapd "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
    echo "${COMPREPLY[*]}"
}

same 'warnings of groff' '' "$(groff -man -ww -z -Tutf8 "$dir/vmsnapd.8" 2>&1)"
page=$(groff -man -Tascii -P-cbou "$dir/vmsnapd.8")
flags=$("$program" --help | grep -o '^  --[a-z-]*')
same 'options in the man page' "$flags" "$(grep -oE '^ {7}--[a-z-]*' <<<"$page" | sed 's/^ *//; s/^/  /')"
for command in show validate; do
    own=$("$program" "$command" --help | grep -o '^  --[a-z-]*')
    same "options of $command in the man page" "$own" "$(sed -n "/^ *$command /,/^ *--help/p" <<<"$page" \
        | grep -oE '^ {14}--[a-z-]*' | sed 's/^ *//; s/^/  /')"
done
same 'what shellcheck says' '' "$(shellcheck -s bash "$dir/vmsnapd.bash" 2>&1)"
# shellcheck source=/dev/null
. "$dir/vmsnapd.bash"
same 'flags offered' "$(tr -d ' ' <<<"$flags" | xargs)" "$(complete_last --store / --)"
same 'a flag offered' --memory-root "$(complete_last --mem)"
same 'a command offered' health "$(complete_last hea)"
same 'a command offered late' '' "$(complete_last --store hea)"
same 'flags of a command offered' '--architecture --memory-size --vp-count --page-size --state-unit --help' \
    "$(complete_last validate --)"
same 'a flag of a command offered nowhere else' '' "$(complete_last health --arch)"
same 'a directory to show offered' /proc "$(complete_last show / /pro)"
same 'choices offered' 'link' "$(complete_last --capture l)"
same 'directories offered' /proc "$(complete_last --store /pro)"
same 'nothing offered' '' "$(complete_last --drain '')"
echo "reference: $passed passed"
