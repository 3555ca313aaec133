#!/bin/sh
# Rebuilds the test object. It is committed, so that tests need no clang. With a folder as argument, puts it there.
set -eu
cd "$(dirname "$0")"
out=${1:-.}
for source in *.c; do
	${CLANG:-clang-19} -O2 -g -Wall -Wextra -Werror -target bpfel -mcpu=v3 -fdebug-compilation-dir=. -c "$source" -o "$out/${source%.c}.bpf.o"
	${LLVM_STRIP:-llvm-strip-19} -g "$out/${source%.c}.bpf.o"
done
