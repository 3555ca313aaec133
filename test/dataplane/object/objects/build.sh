#!/bin/sh
# Rebuilds the test objects, here or in the folder given: each source for both byte orders. They are committed, so that tests need
# no clang; where there is one, a test holds them against their sources.
set -eu
cd "$(dirname "$0")"
out="${1:-.}"
clang="${CLANG:-clang-19} -O2 -nostdinc -fno-strict-aliasing -fdebug-compilation-dir=. -Wno-unused -c"

for source in *.c; do
	name="${source%.c}"
	cpu=v3
	[ "$name" = instructions ] && cpu=v4
	for target in bpfel bpfeb; do
		$clang -g -target "$target" -mcpu="$cpu" "$source" -o "$out/$name.$target.o"
		${LLVM_STRIP:-llvm-strip-19} -g "$out/$name.$target.o"
	done
done
# Without types and line info: fine for programs, not for map definitions.
$clang -target bpfel -mcpu=v4 instructions.c -o "$out/instructions-without-btf.bpfel.o"
$clang -target bpfel -mcpu=v3 maps.c -o "$out/maps-without-btf.bpfel.o"
