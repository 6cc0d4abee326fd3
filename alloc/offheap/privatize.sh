#!/bin/sh
# Makes jemalloc ours alone: one relocatable object from the static archive of the system's jemalloc (built with -fPIC),
# with nothing global in it but the names in keep.txt.
#
#   privatize.sh AR LD NM OBJCOPY ARCHIVE IMPORTS KEEP OUTPUT
#
# Steps: drop the C++ object (operator new must stay the program's); join all others; rename imports as imports.txt says
# and public names to tri_je_*; make the rest local. The constructor goes too: jemalloc then starts in the first
# call, inside our wrapper, and not in whichever thread loads the library.
set -eu

[ $# -eq 8 ] || { echo "usage: $0 AR LD NM OBJCOPY ARCHIVE IMPORTS KEEP OUTPUT" >&2; exit 2; }
ar=$1 ld=$2 nm=$3 objcopy=$4 archive=$5 imports=$6 keep=$7 output=$8

dir=$(mktemp -d "$output.XXXXXX")
trap 'rm -rf "$dir"' EXIT

cp "$archive" "$dir/jemalloc.a"
"$ar" d "$dir/jemalloc.a" jemalloc_cpp.pic.o
"$ld" -r --whole-archive "$dir/jemalloc.a" -o "$dir/joined.o"

"$nm" -u "$dir/joined.o" | awk '{print $NF}' | LC_ALL=C sort -u >"$dir/undefined"
awk '$1 == "port" || $1 == "real" {print $2}' "$imports" >"$dir/known"
unknown=$(grep -v -e '^__' -e '^_GLOBAL_OFFSET_TABLE_$' "$dir/undefined" | grep -v -x -F -f "$dir/known" || true)
if [ -n "$unknown" ]; then
  echo "jemalloc imports what $imports does not list, decide and add:" $unknown >&2
  exit 1
fi

{
  awk '$1 == "port" {print $2, "tri_jeport_" $2}' "$imports"
  "$nm" -g --defined-only "$dir/joined.o" | awk '{old = $NF; name = old; sub(/^je_/, "", name)
                                                  print old, "tri_je_" name}'
} >"$dir/redefine"
twice=$(awk '{print $2}' "$dir/redefine" | LC_ALL=C sort | uniq -d)
[ -z "$twice" ] || { echo "two symbols of jemalloc would get one name:" $twice >&2; exit 1; }
grep -v '^#' "$keep" | LC_ALL=C sort >"$dir/keep"

"$objcopy" --redefine-syms="$dir/redefine" --remove-section=.init_array --remove-section=.rela.init_array \
  "$dir/joined.o" "$dir/renamed.o"
"$objcopy" --keep-global-symbols="$dir/keep" "$dir/renamed.o" "$dir/private.o"

"$nm" -g --defined-only "$dir/private.o" | awk '{print $NF}' | LC_ALL=C sort >"$dir/global"
if ! cmp -s "$dir/keep" "$dir/global"; then
  echo "jemalloc does not define these names of $keep:" >&2
  LC_ALL=C comm -23 "$dir/keep" "$dir/global" >&2
  exit 1
fi
mv "$dir/private.o" "$output"
