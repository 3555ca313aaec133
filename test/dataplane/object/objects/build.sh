#!/bin/sh
# Rebuilds the test objects: each source for both byte orders. They are committed, so that tests need no clang.
set -eu
cd "$(dirname "$0")"
clang="${CLANG:-clang-19} -O2 -nostdinc -fno-strict-aliasing -fdebug-compilation-dir=. -Wno-unused -c"

for source in *.c; do
	name="${source%.c}"
	cpu=v3
	[ "$name" = instructions ] && cpu=v4
	for target in bpfel bpfeb; do
		$clang -g -target "$target" -mcpu="$cpu" "$source" -o "$name.$target.o"
		${LLVM_STRIP:-llvm-strip-19} -g "$name.$target.o"
	done
done
# Without types and line info: fine for programs, not for map definitions.
$clang -target bpfel -mcpu=v4 instructions.c -o instructions-without-btf.bpfel.o
$clang -target bpfel -mcpu=v3 maps.c -o maps-without-btf.bpfel.o
