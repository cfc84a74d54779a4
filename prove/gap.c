/* SPDX-License-Identifier: MIT */
/* The arithmetic of places, for Frama-C's WP: what its contracts say holds for all numbers. */
#include "heap/gap.h"
