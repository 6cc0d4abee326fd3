#!/bin/sh
# Proves what our libraries show to the linker. Every global symbol that an archive (.a) defines and every symbol that a
# shared library (.so) exports begins with tri_ or is listed in interposed_symbols.txt; no shared library exports
# anything of jemalloc's. The malloc family is allowed in libtricolor-malloc alone.
#
#   check_symbols.sh LIBRARY...
#
# DW.ref.* are the compiler's, hidden and the same in every object.
# Prints one line for each wrong symbol. Exit status: 0 all right, 1 wrong symbols, 2 wrong use. NM names another nm.
set -u

list=$(dirname "$0")/interposed_symbols.txt
nm=${NM:-nm}
[ $# -gt 0 ] || { echo "usage: $0 LIBRARY..." >&2; exit 2; }

# One name per line, without versions.
defined() {
  case $1 in
    *.a) "$nm" -g --defined-only "$1" ;;
    *) "$nm" -D --defined-only "$1" ;;
  esac | awk 'NF >= 3 {sub(/@.*/, "", $NF); print $NF}' | sort -u
}

wrong=0
for library in "$@"; do
  [ -r "$library" ] || { echo "$library: cannot be read" >&2; exit 2; }
  case ${library##*/} in
    libtricolor-malloc.*) may='core|malloc' ;;
    *) may='core' ;;
  esac
  names=$(defined "$library")
  [ -n "$names" ] || { echo "$library: no symbols found" >&2; exit 2; }
  bad=$(printf '%s\n' "$names" | awk -v may="^($may)\$" -v shared="${library##*.a}" '
    FNR == NR { if ($1 ~ may) allowed[$2] = 1; next }
    shared != "" && (/jemalloc/ || /^(tri_)?je(port)?_/) { print; next }
    /^DW\.ref\./ { next }
    !/^tri_/ && !($1 in allowed) { print }' "$list" -)
  for name in $bad; do
    echo "$library: $name"
    wrong=1
  done
done
exit $wrong
