/* SPDX-License-Identifier: MIT */
/* One frame of a film, taken of what is there. */
#ifndef LAB_FILM_SHOTS_H
#define LAB_FILM_SHOTS_H

#include "contract/play.h"
#include "film/film.h"
#include "model/exact.h"
#include "tagheap/heap.h"

/* Of the heap; the first one begins the film. `model`: what is expected, where that is something
 * else; NULL: it is not. What a damaged heap's walk shows is all that there is. */
void lab_film_shoot_heap(lab_film_writer *writer, const th_heap *heap, const lab_exact *model);

/* Of a subject that was made. */
void lab_film_shoot_subject(lab_film_writer *writer, const lab_contract_runner *runner);

#endif
