# SPDX-License-Identifier: MIT
# A 32-bit build of the debug variant, on a 64-bit machine. Debian has no 32-bit cmocka that can
# be installed beside the 64-bit one without a foreign architecture, so the plain driver runs it.
## m32-test: 32-bit build
m32_CC       := gcc
m32_CFLAGS   := -m32 -O1 -g1 -Wno-psabi
m32_TESTS    := -O0
m32_LDFLAGS  := -m32
m32_GUARD    := 3
m32_ASSERTS  := 1
m32_DRIVER   := plain
m32_NEEDS    := m32
m32_RUN      := --emulator qemu-i386 --replay --misuse --examples
m32_MACHINES := x86_64
