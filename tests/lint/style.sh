#!/usr/bin/env bash
# What the formatter does not see, in the files given: long lines, tabs, and functions that have a safer
# sibling or no place in a server.
set -euo pipefail
status=0

complain() {
    echo "^ $1" >&2
    status=1
}

code=()
for file in "$@"; do
    case $file in *.[ch]) code+=("$file") ;; esac
done

grep -nE '\s+$' "$@" && complain 'trailing white space'
grep -nP '\t' "${code[@]}" && complain 'tabs'
# Tables of one row a line may be wider: they are marked for the formatter already.
awk 'FNR == 1 { off = 0 } /clang-format off/ { off = 1 } /clang-format on/ { off = 0 }
    { line = $0; gsub(/[\200-\277]/, "", line) } # what is left has a byte a character
    !off && length(line) > 100 { print FILENAME ":" FNR ": " $0; found = 1 } END { exit found }' \
    "${code[@]}" || complain 'more than 100 columns'
banned='(gets|strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|tmpnam|mktemp|system|popen|alloca|rand|localtime|gmtime|asctime|ctime|strerror)'
grep -nE "\b$banned\(" "${code[@]}" && complain 'a banned function'
grep -nE '\bgoto\b' "${code[@]}" && complain 'goto'
exit $status
