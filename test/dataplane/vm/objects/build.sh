#!/bin/sh
# Rebuilds the test objects. They are committed, so that tests need no clang.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
	${CLANG:-clang-19} -O2 -g -Wall -Wextra -Werror -target bpfel -mcpu=v3 -fdebug-compilation-dir=. -I/usr/include/"$(uname -m)"-linux-gnu \
		-c "$source" -o "${source%.c}.bpf.o"
	${LLVM_STRIP:-llvm-strip-19} -g "${source%.c}.bpf.o"
done
