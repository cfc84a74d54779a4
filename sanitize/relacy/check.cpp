/* SPDX-License-Identifier: MIT */
/* make relacy: the lock-free code of src/, the same source, under relacy's full search: small
 * programs of two and three threads, each in every interleaving of its atomic operations, with
 * every value that a load may see by its memory order. What relacy tries: an older value than the
 * last one, one step back; with two threads a weak exchange that fails for no reason, once for each
 * word.
 *
 * A program is a word for each thread (a letter is an operation). What an index stands for is an
 * ordinary variable: relacy reports it if two threads access that without one having happened
 * before the other, which is what the memory orders are for. At the end nothing is lost, and
 * nothing twice.
 *
 * Programs of three threads that push as well have too many executions for that. There a pop whose
 * exchange fails ends its thread (pops_once): it has only read until then, and would begin anew, so
 * what it would do next is what it does in another execution, in which it begins later. What a pop
 * does after an exchange that failed is left to the other programs.
 *
 *   stack    o: pop, and write to what it stands for; u: push what was popped first
 *   remote   the first thread owns the list: t: take all of it; c: leave (take until it can be
 *            closed); the others own nodes: p: write to one of their own, and push it; and in the
 *            same word o: open the list, and what goes with it, if it is nobody's, and c: leave
 *   ticket   a: take the spin lock, and change what it guards; t: the same if it is to be had
 *   publish  the first thread is a process that writes, w: say that a change begins, store two
 *            words, say that it is done; the others look, l: at the two words, which must be of one
 *            change if nothing was said meanwhile
 *
 * usage: check [--quick] [PART OF A NAME]... */
#include "base/atomic.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <streambuf>

#include "alloc/index_stack.h"
#include "alloc/remote_list.h"
#include "base/publish.h"
#include "base/ticket.h"

#define USAGE "check [--quick] [PART OF A NAME]..."

bool lab_relacy_fails_at_will;

namespace {

enum { THREADS_MAX = 3, INDICES_MAX = 3, HELD_MAX = 4 };

struct program {
    const char *name;
    int threads;
    unsigned indices; /* on the stack at first, 0 on top */
    const char *words[THREADS_MAX];
    bool is_quick = false; /* a part of the sample (--quick) */
    bool pops_once = false;
};

const program *now;
bool is_popping[THREADS_MAX];

struct pop_failed {};

/* What a thread has in its hands, oldest first. */
struct hands {
    uint32_t held[HELD_MAX];
    unsigned count;

    uint32_t take() {
        uint32_t index = held[0];
        count--;
        memmove(held, held + 1, count * sizeof held[0]);
        return index;
    }
};

template <int threads> struct stack_test : rl::test_suite<stack_test<threads>, threads> {
    th_atomic_u64 head;
    th_atomic_u32 links[INDICES_MAX];
    rl::var<unsigned> contents[INDICES_MAX];
    hands of[threads];

    void before() {
        for (unsigned i = 0; i < now->indices; i++) {
            TH_ATOMIC_INIT(&links[i], i + 1 < now->indices ? i + 1 : TH_INDEX_NONE);
            contents[i]($) = THREADS_MAX;
        }
        TH_ATOMIC_INIT(&head, th_index_stack_pack(0, now->indices > 0 ? 0 : TH_INDEX_NONE));
        for (int i = 0; i < threads; i++) {
            of[i].count = 0;
            is_popping[i] = false;
        }
    }

    void pop(unsigned number) {
        is_popping[number] = true;
        uint32_t index = th_index_stack_pop(&head, links);
        is_popping[number] = false;
        if (index != TH_INDEX_NONE) {
            RL_ASSERT(index < now->indices);
            contents[index]($) = number; /* it is this thread's alone */
            of[number].held[of[number].count++] = index;
        }
    }

    void push(unsigned number) {
        if (of[number].count > 0) {
            uint32_t index = of[number].take();
            RL_ASSERT(contents[index]($) == number);
            th_index_stack_push(&head, links, index);
        }
    }

    void perform(unsigned number) {
        for (const char *step = now->words[number]; *step != '\0'; step++) {
            if (*step == 'o') {
                pop(number);
            } else {
                push(number);
            }
        }
    }

    void thread(unsigned number) {
        try {
            perform(number);
        } catch (const pop_failed &) {
        }
    }

    /* Each index is on the stack or in one thread's hands, once. */
    void after() {
        bool seen[INDICES_MAX] = {false};
        unsigned count = 0;
        for (int i = 0; i < threads; i++) {
            for (unsigned k = 0; k < of[i].count; k++, count++) {
                RL_ASSERT(!seen[of[i].held[k]]);
                seen[of[i].held[k]] = true;
                RL_ASSERT(contents[of[i].held[k]]($) == (unsigned)i);
            }
        }
        for (uint32_t index; (index = th_index_stack_pop(&head, links)) != TH_INDEX_NONE; count++) {
            RL_ASSERT(index < now->indices && !seen[index]);
            seen[index] = true;
        }
        RL_ASSERT(count == now->indices);
    }
};

const program stack_programs[] = {
    {"stack-hand-over", 2, 1, {"ou", "o"}, true},
    {"stack-last-one", 2, 1, {"ou", "ou"}, true},
    {"stack-both-take", 2, 2, {"oo", "o"}, true},
    {"stack-both-return", 2, 2, {"ou", "ou"}, true},
    {"stack-aba", 2, 2, {"o", "oou"}, true},
    {"stack-aba-returns", 2, 3, {"ou", "oou"}},
    {"stack-again", 2, 1, {"ouo", "ou"}},
    {"stack-three-take", 3, 2, {"o", "o", "o"}, true},
    {"stack-three-return", 3, 1, {"ou", "o", "o"}, false, true},
    {"stack-three-hand-over", 3, 2, {"ou", "o", "o"}, false, true},
    {"stack-three-last-one", 3, 1, {"ou", "ou", "ou"}, false, true},
};

/* Each thread has two nodes, numbered from 1 on in the order of threads. */
enum { NODES_EACH = 2, NODES_MAX = THREADS_MAX * NODES_EACH };

template <int threads> struct remote_test : rl::test_suite<remote_test<threads>, threads> {
    th_atomic_address list;
    th_plain_address links[NODES_MAX + 2];
    rl::var<unsigned> contents[NODES_MAX + 2];
    rl::var<unsigned> cache; /* what goes with the list, its owner's alone: how many it took */
    bool is_owner[threads];
    unsigned pushed[threads], back[NODES_MAX + 2], refused;

    /* 0 and 1 are no nodes. */
    static uintptr_t node_of(unsigned number, unsigned which) {
        return 2 + number * NODES_EACH + which;
    }

    void before() {
        TH_ATOMIC_INIT(&list, TH_REMOTE_EMPTY);
        cache($) = 0u;
        refused = 0;
        for (int i = 0; i < threads; i++) {
            is_owner[i] = i == 0;
            pushed[i] = 0;
        }
        memset(back, 0, sizeof back);
    }

    void take() {
        uintptr_t node = th_remote_list_take(&list);
        while (node != TH_REMOTE_EMPTY) {
            RL_ASSERT(node != TH_REMOTE_CLOSED && node < NODES_MAX + 2);
            RL_ASSERT(contents[node]($) == (unsigned)node); /* as its sender wrote it */
            contents[node]($) = 0u;
            RL_ASSERT(back[node]++ == 0);
            cache($) = cache($) + 1;
            node = TH_PLAIN_LOAD(&links[node]);
        }
    }

    void leave() {
        do {
            take();
        } while (!th_remote_list_close(&list));
    }

    void push(unsigned number) {
        uintptr_t node = node_of(number, pushed[number]++);
        contents[node]($) = (unsigned)node;
        if (!th_remote_list_push(&list, node, &links[node])) {
            RL_ASSERT(back[node]++ == 0); /* it goes to the backing */
            refused++;
        }
    }

    void thread(unsigned number) {
        for (const char *step = now->words[number]; *step != '\0'; step++) {
            if (*step == 'p') {
                push(number);
            } else if (*step == 'o') {
                is_owner[number] = th_remote_list_open(&list);
                if (is_owner[number]) {
                    cache($) = cache($) + 0;
                }
            } else if (is_owner[number] && *step == 't') {
                take();
            } else if (is_owner[number] && *step == 'c') {
                leave();
                is_owner[number] = false;
            }
        }
    }

    /* Every node that was pushed is back, once. */
    void after() {
        unsigned all = 0, sum = 0;
        if (TH_ATOMIC_LOAD(&list, TH_RELAXED) != TH_REMOTE_CLOSED) {
            take();
        }
        for (int i = 0; i < threads; i++) {
            all += pushed[i];
        }
        for (unsigned i = 0; i < NODES_MAX + 2; i++) {
            sum += back[i];
        }
        RL_ASSERT(sum == all && cache($) + refused == all);
    }
};

const program remote_programs[] = {
    {"remote-send", 2, 0, {"tt", "pp"}, true},
    {"remote-leave", 2, 0, {"tc", "pp"}, true},
    {"remote-join", 2, 0, {"tc", "poc"}, true},
    {"remote-again", 2, 0, {"co", "pop"}, true},
    {"remote-two-send", 3, 0, {"t", "p", "p"}, true},
    {"remote-two-leave", 3, 0, {"c", "p", "p"}, true},
    {"remote-two-join", 3, 0, {"c", "oc", "oc"}, true},
    {"remote-three-more", 3, 0, {"tc", "pp", "p"}},
    {"remote-three-join", 3, 0, {"tc", "poc", "p"}},
};

template <int threads> struct ticket_test : rl::test_suite<ticket_test<threads>, threads> {
    th_atomic_u32 next, serving;
    rl::var<unsigned> guarded;
    unsigned done[threads];

    void before() {
        TH_ATOMIC_INIT(&next, 0);
        TH_ATOMIC_INIT(&serving, 0);
        guarded($) = 0u;
        memset(done, 0, sizeof done);
    }

    bool acquire(bool waits) {
        if (!waits) {
            return th_ticket_draw_if_first(&next, &serving);
        }
        uint32_t ticket = th_ticket_draw(&next);
        while (!th_ticket_is_served(&serving, ticket)) {
            rl::yield(1, $);
        }
        return true;
    }

    void thread(unsigned number) {
        for (const char *step = now->words[number]; *step != '\0'; step++) {
            if (acquire(*step == 'a')) {
                guarded($) = guarded($) + 1;
                done[number]++;
                th_ticket_serve_next(&serving);
            }
        }
    }

    /* Nothing was overwritten, and the lock is free. */
    void after() {
        unsigned all = 0;
        for (int i = 0; i < threads; i++) {
            all += done[i];
        }
        RL_ASSERT(guarded($) == all && th_ticket_draw_if_first(&next, &serving));
    }
};

const program ticket_programs[] = {
    {"ticket-hand-over", 2, 0, {"aa", "a"}, true},  {"ticket-both-wait", 2, 0, {"aa", "aa"}},
    {"ticket-one-tries", 2, 0, {"aa", "tt"}, true}, {"ticket-both-try", 2, 0, {"tt", "tt"}, true},
    {"ticket-three-try", 3, 0, {"t", "t", "t"}},
};

template <int threads> struct publish_test : rl::test_suite<publish_test<threads>, threads> {
    enum { WORDS = 2 };
    th_mapped_u32 state; /* twice the number of changes; one more while one is in progress */
    rl::atomic<unsigned> words[WORDS];

    void before() {
        TH_ATOMIC_INIT(&state, 0);
        for (rl::atomic<unsigned> &word : words) {
            word.store(0u, rl::mo_relaxed, $);
        }
    }

    void write(uint32_t number) {
        th_publish(&state, 2 * number - 1);
        for (rl::atomic<unsigned> &word : words) {
            word.store(number, rl::mo_relaxed, $);
        }
        th_publish(&state, 2 * number);
    }

    void look() {
        uint32_t first = th_published(&state);
        if (first % 2 == 0) {
            unsigned seen[WORDS];
            for (int i = 0; i < WORDS; i++) {
                seen[i] = words[i].load(rl::mo_relaxed, $);
            }
            if (th_published_still(&state) == first) {
                RL_ASSERT(seen[0] == first / 2 && seen[1] == first / 2);
            }
        }
    }

    void thread(unsigned number) {
        uint32_t changes = 0;
        for (const char *step = now->words[number]; *step != '\0'; step++) {
            if (*step == 'w') {
                write(++changes);
            } else {
                look();
            }
        }
    }
};

const program publish_programs[] = {
    {"publish-one-looks", 2, 0, {"w", "l"}, true},
    {"publish-looks-again", 2, 0, {"w", "ll"}, true},
    {"publish-changes-again", 2, 0, {"ww", "l"}, true},
    {"publish-two-look", 3, 0, {"w", "l", "l"}},
};

unsigned long long states;
unsigned passed, failed;

/* What relacy says, up to its size: relacy has its own operator new, which libstdc++'s streams that
 * grow do not bear. */
struct text : std::streambuf {
    char bytes[1 << 16];

    void begin() {
        setp(bytes, bytes + sizeof bytes - 1);
    }

    const char *ended() {
        *pptr() = '\0';
        return bytes;
    }
};

template <class test> void simulate(const program &p) {
    static text buffer;
    buffer.begin();
    std::ostream log(&buffer);
    rl::test_params params;
    params.search_type = rl::fair_full_search_scheduler_type;
    params.output_stream = &log;
    params.progress_stream = &log;
    now = &p;
    lab_relacy_fails_at_will = p.threads == 2;
    bool good = rl::simulate<test>(params);
    states += params.stop_iteration;
    printf("  %-24s %d threads %12llu executions  %s\n", p.name, p.threads,
           (unsigned long long)params.stop_iteration,
           good ? "clean" : rl::test_result_str(params.test_result));
    fflush(stdout);
    passed += good;
    failed += !good;
    if (!good) {
        printf("VIOLATION relacy %s: %s\n", p.name, rl::test_result_str(params.test_result));
        fputs(buffer.ended(), stdout);
    }
}

bool is_chosen(int argc, char **argv, const program &p) {
    bool is_named = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            if (!p.is_quick) {
                return false;
            }
        } else if (strstr(p.name, argv[i]) != NULL) {
            return true;
        } else {
            is_named = false;
        }
    }
    return is_named;
}

template <template <int> class test, size_t count>
void simulate_chosen(int argc, char **argv, const program (&programs)[count]) {
    for (const program &p : programs) {
        if (is_chosen(argc, argv, p)) {
            p.threads == 2 ? simulate<test<2>>(p) : simulate<test<3>>(p);
        }
    }
}

} // namespace

void th_atomic_back_off() {
    if (now->pops_once && is_popping[rl::thread_index()]) {
        throw pop_failed();
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            puts("usage: " USAGE);
            return 0;
        }
        if (argv[i][0] == '-' && strcmp(argv[i], "--quick") != 0) {
            fprintf(stderr, "check: there is no option %s; " USAGE "\n", argv[i]);
            return 2;
        }
    }
    simulate_chosen<stack_test>(argc, argv, stack_programs);
    simulate_chosen<remote_test>(argc, argv, remote_programs);
    simulate_chosen<ticket_test>(argc, argv, ticket_programs);
    simulate_chosen<publish_test>(argc, argv, publish_programs);
    if (passed + failed == 0) {
        fprintf(stderr, "check: no program has such a name; without one, all are run\n");
        return 2;
    }
    printf("%llu executions explored\n", states);
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
