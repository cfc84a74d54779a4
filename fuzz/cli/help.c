/* SPDX-License-Identifier: MIT */
/* The table of subcommands, and the pages that are printed from it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

#define PASSED_OR_FAILED "0 every script passed; 1 one failed"
#define TO_BE_WRITTEN                                                                              \
    "  --subject NAME   write that it is for this one (heaplab subjects), or for a plug-in\n"      \
    "                   (./PATH.so); nothing is played (default: what the script says)\n"

static const lab_cli_subcommand subcommands[] = {
    {"run", " [-v] [--bare] [--guard 0..3] [FORM] [--subject NAME] FILE...",
     "play scripts on the heap, compare with the exact model",
     "  -v               a line for each script, not only for those that fail\n"
     "  --bare           without the model: what is wrong must be noticed by the guards, or by "
     "the\n"
     "                   tool in the build\n",
     PASSED_OR_FAILED "; 2 create refused every subject",
     "-v --guard 3 corpus/heap/seed/recorded-lua-start.txt", lab_cli_run},
    {"show", " [-o OUT] [-f] [FORM] [--subject NAME] FILE", "print a script as text",
     "  -o OUT           write to OUT (default: standard output)\n" TO_BE_WRITTEN, "0 done",
     "corpus/heap/seed/recorded-lua-start.txt", lab_cli_show},
    {"asm", " -o OUT [-f] [FORM] [--subject NAME] FILE", "assemble a script into bytes",
     "  -o OUT           where the bytes go\n" TO_BE_WRITTEN, "0 done",
     "corpus/heap/seed/recorded-lua-start.txt -o start.bin", lab_cli_asm},
    {"draw", " [--colour | --svg [--at N] [-o OUT] [-f]] [FORM] [--subject NAME] FILE",
     "draw the heap, or another subject's memory, after each operation",
     "  --colour         colours tell the sides apart (width: COLUMNS, or that of the terminal)\n"
     "  --svg            one moment as a picture (SVG): after the last operation\n"
     "  --at N           or after the first N operations\n"
     "  -o OUT           write the picture to OUT (default: standard output)\n",
     "0 drawn; 1 the script failed, which ends the drawing",
     "corpus/heap/seed/recorded-lua-start.txt", lab_cli_draw},
    {"view", " [-o OUT] [-f] [FORM] [--subject NAME] FILE",
     "make a page that plays a script: the memory after each operation, in a browser",
     "  -o OUT           write to OUT (default: standard output)\n"
     "  The page needs no other file and no network. Where the script fails, it ends there and\n"
     "  shows what differs.\n",
     "0 the page is written; 1 it is, and the script fails",
     "-o view.html corpus/heap/seed/recorded-lua-start.txt", lab_cli_view},
    {"minimize", " -o OUT [-f] [--timeout MS] [--tries N] [FORM] [--subject NAME] FILE",
     "make a failing script small while it fails in the same way",
     "  -o OUT           where the small script goes, as text\n"
     "  --timeout MS     a script that takes more processor time hangs (default: 2000, and 20 "
     "more\n"
     "                   for each 1000 operations)\n"
     "  --tries N        it need not fail each time: play each script up to N times\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with the smallest script so far; a second one ends it at\n"
     "                   once\n",
     "0 OUT is written; 128+N ended by signal N (Ctrl-C: 130), and OUT is written if it is known "
     "how the script fails; 2 the script passes, or (without --tries) not always fails in the same "
     "way",
     "found.txt -o small.txt", lab_cli_minimize},
    {"to-c", " [-o OUT] [-f] [FORM] [--subject NAME] FILE",
     "turn a failing script into a C program that fails in the same way",
     "  -o OUT           write to OUT (default: standard output)\n"
     "  A program for the heap needs the library only; for another subject it plays the script by\n"
     "  heaplab's own sources, for a plug-in with the plug-in's, too.\n",
     "0 done; 2 the script passes, or not always fails in the same way", "found.txt -o found.c",
     lab_cli_to_c},
    {"bench", " [--all | --every-check] [--guard 0..3] [--rounds N] [--min-rate N] [--max-ratio X]",
     "measure checked operations per second, in a small and in a large region",
     "  --all            compare everything after each operation, not only what it touched\n"
     "  --every-check    ask the heap's checker after each operation, not after every eighth\n"
     "  --guard N        the heap's guard level, from 0 to 3 (default: 3)\n"
     "  --rounds N       measure N times, from 1 to 1000; the best counts (default: 15)\n"
     "  --min-rate N     demand N checked operations per second, in both (default: no demand)\n"
     "  --max-ratio X    demand that the large one costs at most X times the small one (default:\n"
     "                   no demand)\n",
     "0 measured; 1 a demand was missed", "--max-ratio 100", lab_cli_bench},
    {"explore",
     " [--dwords N] [--align N] [--guard 0..3] [--layout NAME] [--sizes LIST] [--tags LIST] "
     "[--aligned LIST]"
     " [--budgets LIST] [--bookkeeping] [--max-states N] [-j N] [-o OUT] [-f]",
     "try every operation in every state of a small heap",
     "  --dwords N       the region (default: 46)\n"
     "  --align N        the heap's alignment: 4, 8 or 16 (default: 4)\n"
     "  --guard 0..3     the heap's guard level (default: 2, or what the build has; lean: 0)\n"
     "  --layout NAME    the heap's layout: classic, lean, wide or auto (default: classic)\n"
     "  --sizes LIST     bytes that are asked for (default: 1,9,20)\n"
     "  --tags LIST      in rising order (default: 0x1001,0x1002,0x4001)\n"
     "  --aligned LIST   alignments of single blocks (default: 16)\n"
     "  --budgets LIST   bytes that a budgeted compaction may move (default: 0)\n"
     "                   a LIST may be `none`\n"
     "  --bookkeeping    which memory was ever used is part of a state\n"
     "  --max-states N   stop when there are more (default: 4294967294)\n"
     "  -j N             threads (default: one for each processor)\n"
     "  -o OUT           where the script of a violation goes (default: explore-violation.txt)\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with the counts so far; a second one ends it at once\n",
     "0 complete; 1 a violation was found; 128+N ended by signal N (Ctrl-C: 130); 2 stopped "
     "(--max-states, no memory)",
     "--dwords 30 -o violation.txt", lab_cli_explore},
    {"diff", " --with A,B[,...] [FORM] FILE",
     "play a script on several allocators at once, compare contents",
     "  --with A,B,...   2 to 16 subjects (heaplab subjects), or paths of plug-ins (./mine.so)\n",
     "0 no difference; 1 there is one, or a contract was broken; 2 create refused each subject",
     "--with malloc,buddy corpus/heap/seed/recorded-lua-start.txt", lab_cli_diff},
    {"fragmentation", " [FORM] FILE",
     "play a script's requests on several placement policies, measure what is lost", "", "0 done",
     "corpus/heap/seed/recorded-lua-start.txt", lab_cli_fragmentation},
    {"actors", " [--most N] [--threads ROUNDS] [FORM] FILE...",
     "play several scripts at once, each FILE an actor's: in every order, or by threads",
     "  --most N         orders of the scripts' operations that may be played (default: 1000000)\n"
     "  --threads N      by a real thread each, N times, for the heap and subjects for threads; "
     "what\n"
     "                   they called must be linearizable\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with the summary so far; a second one ends it at once\n",
     "0 no violation; 1 one, with its order or history; 128+N ended by signal N (Ctrl-C: 130), "
     "none "
     "found",
     "fuzz/actors/scripts/share-first.txt fuzz/actors/scripts/share-second.txt", lab_cli_actors},
    {"attack", " [--quick]", "print which guard level notices which attack, and when",
     "  --quick          each position with one kind of call in turn, not with all of them\n",
     "0 each is noticed as it must be; 1 one is not", "--quick", lab_cli_attack},
    {"synthesis",
     " [--seconds N | --runs N] [--guard 0..3] [--layout NAME] [--seed N] [--rows] | --table | "
     "--script TEXT",
     "write where a bug would write, and look for harm that no guard reports",
     "  --seconds N      how long (default: 10); level 3 has most of it\n"
     "  --runs N         instead: so many runs in each layout at each level (level 0: fewer)\n"
     "  --guard 0..3     only at this level (default: at each)\n"
     "  --layout NAME    only in this layout: classic, lean, wide (default: in each)\n"
     "  --seed N         the same seed and runs find the same (default: from the time of day)\n"
     "  --rows           what is known is not replayed; all that escapes is printed as rows of\n"
     "                   fuzz/synthesis/escapes.def\n"
     "  --table          what is known to escape, as docs/synthesis.md has it\n"
     "  --script TEXT    only this script: what it does, and what becomes of it at each level\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with the summary so far; a second one ends it at once\n",
     "0 nothing escaped but what is known to; 1 something did, or what is known does not; 128+N "
     "ended by signal N (Ctrl-C: 130), nothing found",
     "--runs 1000 --guard 3", lab_cli_synthesis},
    {"sweep", " [-v] [--guard 0..3] [--seconds N] [--only KIND:N[+]] [FORM] FILE...",
     "let the n-th allocation, low-memory request, move fail, for every n",
     "  -v               a line for each file\n"
     "  --seconds N      for all files together (default: as long as it takes)\n"
     "  --only KIND:N    just this run: the N-th alloc, more, move or own; with + at its end all\n"
     "                   after it, too (alloc:17, move:1+)\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with the summary so far; a second one ends it at once\n",
     "0 no run failed, out of time or not; 1 one failed; 128+N ended by signal N (Ctrl-C: 130), "
     "none failed",
     "--only alloc:1 corpus/heap/seed/recorded-lua-start.txt", lab_cli_sweep},
    {"random",
     " [--subject NAME] [--seconds N] [--scripts N] [--seed N] [--keep-going] [--known LIST] "
     "[-o OUT] [-f]",
     "play scripts that nobody wrote, until one fails",
     "  --subject NAME   what to play them on (heaplab subjects), or the plug-in ./PATH.so\n"
     "                   (default: heap)\n"
     "  --seconds N      how long (default: 10)\n"
     "  --scripts N      end sooner, after N scripts, unless none of them did anything\n"
     "  --seed N         the same seed makes the same scripts (default: from the time of day)\n"
     "  --keep-going     do not end with the first failure; count the different ones\n"
     "  --known LIST     failures that end nothing and are only counted: a file with a signature\n"
     "                   on each line, as `make triage` prints them\n"
     "  -o OUT           where the first script that fails goes (default: standard output)\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it after the script that is played, with the summary of what\n"
     "                   was done so far; a second one ends it at once\n",
     "0 every script passed, or failed as known; 1 one failed; 128+N ended by signal N (Ctrl-C: "
     "130), none failed; 2 create refused every setup",
     "--subject arena --seconds 1 --seed 7", lab_cli_random},
    {"pairs", " [FORM] FILE...", "count how often which operation of scripts follows which",
     "  Nothing is played. A line for each pair of operations: FIRST SECOND COUNT.\n",
     "0 counted; 2 a file cannot be read, is named, and the others count",
     "corpus/heap/seed/recorded-lua-start.txt", lab_cli_pairs},
    {"swarm", " SEED [EPOCH]", "print how a fuzzing run weighed what it did",
     "  SEED             the run's, from its log\n"
     "  EPOCH            256 mutations each (default: 0)\n",
     "0 done", "7 2", lab_cli_swarm},
    {"worst",
     " --dwords N [--steps N] [--seconds N] [--seed N] [--index KIND] [--layout KIND] -o OUT [-f]"
     " [FILE...]",
     "search for the scripts whose last call of the heap costs most",
     "  --dwords N       the region\n"
     "  --steps N        scripts to be tried beyond the combs made by hand (default: 2000)\n"
     "  --seconds N      ends the search sooner; the combs made by hand are always tried\n"
     "  --seed N         the same seed and steps find the same scripts (default: 1)\n"
     "  -o OUT           the folder where they go, up to 4 for each kind of call: OUT/alloc-1.txt\n"
     "                   ...; and OUT/ordinary.txt, an ordinary load; made if it is not there\n"
     "  FILE             a script to begin with, whatever the region it was made for\n"
     "  Ctrl-C, SIGTERM, SIGHUP end it with what was found so far; a second one ends it at once\n",
     "0 done; 128+N ended by signal N (Ctrl-C: 130); 2 this build does not count (use "
     "build/worst/heaplab)",
     "--dwords 2048 -o build/worst/2048", lab_cli_worst},
    {"cost", " [--samples N] [--index KIND] [FORM] FILE...",
     "count the instructions of a script's last call of the heap, exactly",
     "  --samples N      of the last N calls of each kind: the median and the most (N up to "
     "1000)\n",
     "0 counted; 2 the machine lets no process be single-stepped",
     "--samples 9 corpus/heap/seed/recorded-lua-start.txt", lab_cli_cost},
    {"operations", "", "list the operations of scripts, as docs/script.md has them", "", "0 done",
     "", lab_cli_operations},
    {"subjects", "", "list the allocators that scripts can be played on", "", "0 done", "",
     lab_cli_subjects},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

/* Words that mean the same in all usage lines, where a subcommand's own options do not say more. */
static const struct {
    const char *word, *text;
} common[] = {
    {"--guard",
     "  --guard 0..3     the heap's guard level, if the build has it (default: what the script\n"
     "                   says)\n"},
    {"FILE", "  FILE             a script as text or as bytes (docs/script.md)\n"},
    {"FORM",
     "  FORM             what FILE is, whatever it looks like: --bytes, --text, or --numbered\n"
     "                   for bytes with the number of a subject in front\n"},
    {"--subject", "  --subject NAME   play it on this one (heaplab subjects), or on the plug-in "
                  "./PATH.so\n                   (default: what the script says)\n"},
    {"--index",
     "  --index KIND     where the heap's index is: none, auto, given (in memory of its own; the\n"
     "                   default)\n"},
    {"--layout", "  --layout KIND    of the heap: auto, classic, lean, wide (default: auto)\n"},
    {"-f]", "  -f               replace OUT if it exists\n"},
};

const lab_cli_subcommand *lab_cli_find(const char *name) {
    for (int i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(name, subcommands[i].name) == 0) {
            return &subcommands[i];
        }
    }
    return NULL;
}

void lab_cli_print_help(void) {
    (void)printf("usage: heaplab SUBCOMMAND ...\n\n");
    for (int i = 0; i < SUBCOMMANDS; i++) {
        (void)printf("  heaplab %s%s\n      %s\n", subcommands[i].name, subcommands[i].arguments,
                     subcommands[i].purpose);
    }
    (void)printf("  heaplab help\n      print this\n\n"
                 "heaplab SUBCOMMAND --help says what its options are, and gives an example.\n"
                 "Exit status: 0 done, 1 a failure was found, 2 bad input.\n");
}

void lab_cli_print_help_for(const lab_cli_subcommand *subcommand) {
    (void)printf("usage: heaplab %s%s\n\n%s\n\n%s", subcommand->name, subcommand->arguments,
                 subcommand->purpose, subcommand->options);
    bool some = subcommand->options[0] != '\0';
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
        bool own = strstr(subcommand->options, common[i].word) != NULL;
        if (!own && strstr(subcommand->arguments, common[i].word) != NULL) {
            (void)fputs(common[i].text, stdout);
            some = true;
        }
    }
    bool more = strstr(subcommand->statuses, "; 2 ") != NULL;
    (void)printf("%sexit status: %s%sbad input, named in one line\n", some ? "\n" : "",
                 subcommand->statuses, more ? ", or " : "; 2 ");
    (void)printf("example: heaplab %s%s%s\n", subcommand->name,
                 subcommand->example[0] != '\0' ? " " : "", subcommand->example);
}
