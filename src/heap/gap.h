/* SPDX-License-Identifier: MIT */
/* The arithmetic of aligned places, of numbers alone. What the comments that begin with an @ say of
 * these functions is proved, for all numbers, by `make prove` (docs/soundness.md).
 *
 * All in dwords. A payload is aligned every `step`. `least` is the smallest remainder that can be a
 * block. A place is suitable if what is left beside it is nothing, or `least` or more. */
#ifndef TH_HEAP_GAP_H
#define TH_HEAP_GAP_H

#include <stdbool.h>
#include <stdint.h>

/* Above any step of an alignment that a block can remember, and above any header. */
#define TH_GAP_STEP_MAX  0x20000000u
#define TH_GAP_LEAST_MAX 0x10000u

/* How far the smallest suitable place lies above one that is `over` beyond a multiple. */
/*@ requires step: 0 < step <= TH_GAP_STEP_MAX;
    requires over: over < step;
    requires least: least <= TH_GAP_LEAST_MAX;
    assigns \nothing;
    ensures suitable: \result == 0 || \result >= least;
    ensures smallest: \forall integer k; 0 <= k * step - over < \result ==>
        0 < k * step - over < least; */
static inline uint32_t th_gap_above(uint32_t over, uint32_t step, uint32_t least) {
    if (over == 0) {
        return 0;
    }
    uint32_t gap = step - over;
    //@ ghost unsigned k = 1;
    /*@ loop invariant multiple: gap == k * step - over;
        loop invariant bounds: 1 <= k <= gap <= least + step;
        loop invariant skipped: k > 1 ==> (k - 1) * step - over < least;
        loop assigns gap, k;
        loop variant least + step - gap; */
    while (gap < least) {
        gap += step;
        //@ ghost k++;
    }
    //@ assert aligned: gap == k * step - over;
    return gap;
}

/*@ lemma monotonic: \forall integer a, b, step; 0 < step && a <= b ==> a * step <= b * step; */

/* *room is how much lies below the highest place, which is `over` beyond a multiple; afterwards,
 * how much lies below the highest suitable place. False, and *room is anything: there is none. */
/*@ requires step: 0 < step <= TH_GAP_STEP_MAX;
    requires over: over < step;
    requires least: 0 < least <= TH_GAP_LEAST_MAX;
    requires memory: \valid(room);
    assigns *room;
    ensures suitable: \result ==> *room == 0 || *room >= least;
    ensures largest: \result ==>
        \forall integer k; 0 <= k && *room < \old(*room) - over - k * step ==>
            0 < \old(*room) - over - k * step < least;
    ensures none: !\result ==>
        \forall integer k; 0 <= k && 0 <= \old(*room) - over - k * step ==>
            0 < \old(*room) - over - k * step < least; */
static inline bool th_gap_below(uint32_t *room, uint32_t over, uint32_t step, uint32_t least) {
    uint32_t left = *room;
    uint32_t down = over;
    //@ ghost unsigned k = 0;
    /*@ loop invariant place: left - down == \at(*room, Pre) - over - k * step;
        loop invariant first: k == 0 ==> left == \at(*room, Pre) && down == over;
        loop invariant later: k > 0 ==> down == step && 0 < left < least &&
            left == \at(*room, Pre) - over - (k - 1) * step;
        loop invariant short: k > 0 ==> \at(*room, Pre) - over < least;
        loop invariant bounds: k <= \at(*room, Pre) + 1 - left;
        loop assigns left, down, k;
        loop variant k == 0 ? left + 1 : left; */
    for (;; down = step) {
        if (down > left) {
            return false;
        }
        left -= down;
        if (left == 0 || left >= least) {
            *room = left;
            //@ assert aligned: *room == \at(*room, Pre) - over - k * step;
            return true;
        }
        //@ ghost k++;
    }
}

#endif
