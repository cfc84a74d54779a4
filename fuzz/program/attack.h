/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_ATTACK_H
#define LAB_PROGRAM_ATTACK_H

#include "program/core.h"

/* Changes bits of a dword of the region, `mask` from its first byte in memory on. The same again
 * repairs it. */
void damage(uint32_t dword, uint32_t mask);

/* From here on, calls must raise this fault; UINT32_MAX: at any block, at any byte. */
void begin_attack(th_fault_kind kind, uint32_t block, uint32_t byte);

/* The checker, the walk, the lookup and attach come to an end; the damage is found if it must. */
void examine(bool must);

/* The call must have been refused, raised the fault, and changed nothing. */
void must_refuse(const char *call, bool refused);

/* Nothing is demanded of the call but that it ends. */
void may_pass(bool refused);

/* Takes back what a refused call may count or note; the result is handed on. */
bool without_notes(bool refused);

/* A move callback that allows nothing. */
bool veto(void *context, uint32_t tag, void *from, void *to, size_t bytes);

/* Copies the heap, if that is not refused, and ends the copy. Always true. */
bool copy_and_end(void);

/* The damage is made while compaction asks whether that payload may be moved, and repaired
 * afterwards: if it has asked, the move must be refused. */
void refuse_move(unsigned char *moving, uint32_t dword, uint32_t mask);

#endif
