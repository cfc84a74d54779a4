#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The one grammar of the public headers (docs/grammar.md): what a program can check of it.

  tests/scripts/test_grammar.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import pathlib
import re
import unittest

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = TREE / "include/tagheap"
TESTS = TREE / "tests"

# What a header says that the grammar would say otherwise, and why that stays.
EXCEPTIONS = {
    "th_buddy_create": "fills in the caller's th_buddy: it takes only the memory itself",
}

# Nouns that are not asked with NULL in place of the object (tests/null_objects.h), and why.
NULL_ELSEWHERE = {
    "th_heap": "a zeroed one answers, NULL does not (docs/grammar.md): tests/test_heap.c",
    "th_tracker_snapshot": "its calls are the tracker's, which are asked",
}

# What belongs into a th_guarding.
GUARD_WORDS = ("on_fault", "fault_context", "guard", "guard_level")
SIZE_TYPES = ("size_t", "uint64_t")
SIZE_NAME = re.compile(r"(^|_)bytes(_max)?$")
OBJECT = re.compile(r"^(?:const )?(th_[a-z0-9_]+) \*(\w+)$")


class Function:
    def __init__(self, result, name, parameters):
        self.result, self.name = result, name
        self.parameters = [] if parameters.strip() == "void" else split_at_commas(parameters)

    def names(self):
        return [re.search(r"(\w+)(?:\[\d*\])?$", text)[1] for text in self.parameters]

    def verb(self, noun):
        return self.name[len(noun) + 1:]


def split_at_commas(text):
    return [" ".join(part.split()) for part in text.split(",")]


def strip(text):
    """Without comments, directives and the braces of extern "C"."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", "", text, flags=re.M)
    return text.replace('extern "C" {', "")


def functions(text):
    declaration = re.compile(r"(?:^|(?<=[;}\n]))\s*((?:TH_NORETURN )?(?:const )?(?:struct )?\w+ \*?)"
                             r"(th_\w+)\(([^()]*)\);")
    return [Function(match[1].strip(), match[2], match[3]) for match in declaration.finditer(text)]


def structures(text):
    """(name, [(type, field)]) of each typedef of a struct; functions in it are left out."""
    found = []
    for match in re.finditer(r"typedef struct (th_\w+) \{(.*?)\n\} \1;", text, flags=re.S):
        fields = []
        for line in match[2].split(";"):
            words = " ".join(line.split())
            field = re.match(r"^((?:const |struct )*\w+(?: \*+)?)\s?(\w+(?:\[\w+\])?(?:, \w+)*)$", words)
            if field is not None:
                fields += [(field[1].strip(), name) for name in field[2].split(", ")]
        found.append((match[1], fields))
    return found


class Headers:
    """Everything that the public headers declare."""

    def __init__(self, texts):
        self.functions, self.structures = [], {}
        for text in texts:
            plain = strip(text)
            self.functions += functions(plain)
            self.structures.update(structures(plain))
        self.names = {function.name for function in self.functions}
        # A noun is what can be started, or has statistics of its own.
        self.nouns = sorted({name[:-len(end)] for name in self.names
                             for end in ("_init", "_create", "_get_stats") if name.endswith(end)})

    def of(self, noun):
        others = [other for other in self.nouns if other.startswith(noun + "_")]
        return [function for function in self.functions if function.name.startswith(noun + "_") and
                not any(function.name.startswith(other + "_") for other in others)]


def argument_order(headers):
    """Sizes come before alignments."""
    for function in headers.functions:
        names = function.names()
        if "alignment" in names:
            sizes = [index for index, name in enumerate(names) if SIZE_NAME.search(name)]
            if sizes and names.index("alignment") < max(sizes):
                yield f"{function.name}: alignment comes before {names[max(sizes)]}"


def moving(headers):
    """resize_in_place returns bool; what takes a block and returns one is called realloc."""
    for function in headers.functions:
        verb = function.name.rsplit("th_", 1)[-1]
        if verb.endswith("resize_in_place") and function.result != "bool":
            yield f"{function.name}: returns {function.result}, not bool"
        takes_block = any(re.search(r"(void \*|_block )\w+$", text)
                          for text in function.parameters[1:])
        if takes_block and re.search(r"_resize(_array|_aligned)?$", function.name):
            yield f"{function.name}: is called resize; it is resize_in_place or realloc"
        if re.search(r"_realloc(_array|_aligned)?$", function.name) and \
                function.result not in ("void *", "void*"):
            yield f"{function.name}: returns {function.result}, not a pointer"


def statuses(headers):
    """reset and check return a status, clean_up nothing, get_stats the struct by value."""
    for noun in headers.nouns + ["th_allocator"]:
        for function in headers.of(noun):
            verb = function.verb(noun)
            if verb in ("init", "reset", "check", "reserve") and function.result != "th_status":
                yield f"{function.name}: returns {function.result}, not th_status"
            if verb == "clean_up" and function.result != "void":
                yield f"{function.name}: returns {function.result}, not void"
            if verb == "get_stats" and (len(function.parameters) != 1 or
                                        not re.fullmatch(r"th_\w+_stats", function.result)):
                yield f"{function.name}: does not return its statistics by value"
            if verb == "allocator" and function.result != "th_allocator":
                yield f"{function.name}: returns {function.result}, not th_allocator"


def pairs(headers):
    """init comes with clean_up, create with destroy; what is created is returned."""
    for one, other in (("init", "clean_up"), ("create", "destroy")):
        with_one = {name[:-len(one) - 1] for name in headers.names if name.endswith("_" + one)}
        with_other = {name[:-len(other) - 1] for name in headers.names
                      if name.endswith("_" + other)}
        for noun in sorted(with_one ^ with_other):
            name = f"{noun}_{one}" if noun in with_one else f"{noun}_{other}"
            if name not in EXCEPTIONS:
                yield f"{name}: has no {other if noun in with_one else one}"
    for function in headers.functions:
        if function.name.endswith("_create") and not function.result.endswith("*") and \
                function.name not in EXCEPTIONS:
            yield f"{function.name}: returns {function.result}, not what it creates"
        if function.name.endswith("_init"):
            match = OBJECT.match(function.parameters[0])
            if match is None or f"{match[1]}_init" != function.name:
                yield f"{function.name}: does not take its own object first"


def counters(headers):
    """In statistics, sizes are size_t, and what is counted is uint64_t."""
    for name, fields in headers.structures.items():
        if not name.endswith("_stats"):
            continue
        for kind, field in fields:
            if SIZE_NAME.search(field):
                if kind not in SIZE_TYPES:
                    yield f"{name}.{field}: is a size, and {kind}"
            elif kind != "uint64_t":
                yield f"{name}.{field}: is a counter, and {kind}, not uint64_t"


def names_of_counters(headers):
    """The blocks that an allocator has in use are called live."""
    allocators = {name.removesuffix("_alloc") for name in headers.names if name.endswith("_alloc")}
    for name, fields in headers.structures.items():
        for _, field in fields:
            if name.endswith("_stats") and name.removesuffix("_stats") in allocators and \
                    field in ("live_blocks", "live_objects", "used_blocks"):
                yield f"{name}.{field}: is called live"


def guards(headers):
    """A config has one th_guarding, and no part of one; memory comes with its size."""
    for name, fields in headers.structures.items():
        if not name.endswith("_config"):
            continue
        names = [field for _, field in fields]
        kinds = [kind for kind, _ in fields]
        if kinds.count("th_guarding") != 1 or "guarding" not in names:
            yield f"{name}: has no field guarding, a th_guarding"
        for word in GUARD_WORDS:
            if word in names:
                yield f"{name}.{word}: belongs into its guarding"
        if "memory" in names and "memory_bytes" not in names:
            yield f"{name}.memory: has no memory_bytes"


def interface(headers):
    """What hands out blocks by address can be used by the common interface."""
    for noun in headers.nouns:
        verbs = {function.verb(noun): function for function in headers.of(noun)}
        alloc = verbs.get("alloc")
        if alloc is not None and alloc.result == "void *" and "allocator" not in verbs and \
                noun != "th_allocator":
            yield f"{noun}: has no {noun}_allocator"
        for verb in ("alloc", "alloc_aligned"):
            if verb in verbs and "alignment" in verbs[verb].names() and verb == "alloc":
                yield f"{noun}_alloc: takes an alignment; that is {noun}_alloc_aligned"


RULES = (argument_order, moving, statuses, pairs, counters, names_of_counters, guards, interface)

# A header with one deviation from each rule, and how the rule words it.
WRONG = (
    (argument_order, "void *th_a_alloc_aligned(th_a *a, size_t alignment, size_t bytes);",
     "th_a_alloc_aligned: alignment comes before bytes"),
    (moving, "void th_a_resize_in_place(th_a *a, void *pointer, size_t bytes);",
     "th_a_resize_in_place: returns void, not bool"),
    (moving, "bool th_a_resize(th_a *a, void *pointer, size_t bytes);",
     "th_a_resize: is called resize; it is resize_in_place or realloc"),
    (moving, "bool th_a_realloc(th_a *a, void *pointer, size_t bytes);",
     "th_a_realloc: returns bool, not a pointer"),
    (statuses, "th_status th_a_init(th_a *a);\nvoid th_a_reset(th_a *a);",
     "th_a_reset: returns void, not th_status"),
    (statuses, "th_status th_a_init(th_a *a);\nth_status th_a_clean_up(th_a *a);",
     "th_a_clean_up: returns th_status, not void"),
    (statuses, "void th_a_get_stats(const th_a *a, th_a_stats *stats);",
     "th_a_get_stats: does not return its statistics by value"),
    (pairs, "th_status th_a_init(th_a *a);", "th_a_init: has no clean_up"),
    (pairs, "void th_a_destroy(th_a *a);", "th_a_destroy: has no create"),
    (pairs, "th_status th_a_create(th_a *a);\nvoid th_a_destroy(th_a *a);",
     "th_a_create: returns th_status, not what it creates"),
    (pairs, "th_status th_a_init(size_t bytes);\nvoid th_a_clean_up(th_a *a);",
     "th_a_init: does not take its own object first"),
    (counters, "typedef struct th_a_stats {\n    size_t allocs; /* x */\n} th_a_stats;",
     "th_a_stats.allocs: is a counter, and size_t, not uint64_t"),
    (counters, "typedef struct th_a_stats {\n    uint32_t used_bytes;\n} th_a_stats;",
     "th_a_stats.used_bytes: is a size, and uint32_t"),
    (names_of_counters, "void *th_a_alloc(th_a *a, size_t bytes);\n"
     "typedef struct th_a_stats {\n    uint64_t live_blocks;\n} th_a_stats;",
     "th_a_stats.live_blocks: is called live"),
    (guards, "typedef struct th_a_config {\n    int guard;\n    th_guarding guarding;\n} th_a_config;",
     "th_a_config.guard: belongs into its guarding"),
    (guards, "typedef struct th_a_config {\n    int unit;\n} th_a_config;",
     "th_a_config: has no field guarding, a th_guarding"),
    (guards, "typedef struct th_a_config {\n    void *memory;\n    th_guarding guarding;\n"
     "} th_a_config;", "th_a_config.memory: has no memory_bytes"),
    (interface, "th_status th_a_init(th_a *a);\nvoid *th_a_alloc(th_a *a, size_t bytes);",
     "th_a: has no th_a_allocator"),
    (interface, "th_status th_a_init(th_a *a);\nth_allocator th_a_allocator(th_a *a);\n"
     "void *th_a_alloc(th_a *a, size_t bytes, size_t alignment);",
     "th_a_alloc: takes an alignment; that is th_a_alloc_aligned"),
)

PUBLIC = Headers([path.read_text() for path in sorted(HEADERS.glob("*.h"))])


def suites_with(header):
    """The text of all sources of tests/ that include it."""
    texts = [path.read_text() for path in sorted(TESTS.glob("*.c"))]
    return "".join(text for text in texts if f'#include "{header}"' in text)


class Grammar(unittest.TestCase):
    maxDiff = None

    def test_every_header_is_read(self):
        """Each function that a header names with a parenthesis after a type is found."""
        for path in sorted(HEADERS.glob("*.h")):
            plain = strip(path.read_text())
            due = set(re.findall(r"^(?!static inline )(?:[\w ]+[ *])(th_\w+)\(", plain, flags=re.M))
            found = {function.name for function in functions(plain)}
            # What a macro defines, and types of functions, are no declarations.
            self.assertEqual(due - found, set(), path.name)
        self.assertGreater(len(PUBLIC.names), 200)
        self.assertGreater(len(PUBLIC.nouns), 12)

    def test_rules(self):
        for rule in RULES:
            with self.subTest(rule.__name__):
                self.assertEqual(list(rule(PUBLIC)), [], rule.__doc__)

    def test_every_noun_is_asked_without_an_object(self):
        suites = suites_with("null_objects.h")
        asked = {f"th_{noun}" for noun in re.findall(r"\bTWICE\((\w+),", suites)}
        self.assertEqual(set(PUBLIC.nouns) - asked, set(NULL_ELSEWHERE))

    def test_every_allocator_gets_bad_input(self):
        """By its own calls and by its interface: it has a row (tests/bad_input.h). What has the
        interface alone hands on what it is asked."""
        suites = suites_with("bad_input.h") + suites_with("bad_calls.h")
        played = {f"th_{noun}" for words in (r"\breturn th_(\w+)_allocator\(",
                                             r"\*th_(\w+)_allocator\(", r"&lab_allocator_(\w+)",
                                             r"\bLAB_CALLS_OF_ALL\((\w+),")
                  for noun in re.findall(words, suites)}
        due = {noun for noun in PUBLIC.nouns
               if {f"{noun}_allocator", f"{noun}_alloc"} <= PUBLIC.names}
        self.assertGreater(len(due), 10)
        self.assertEqual(set(), due - played)

    def test_each_deviation_is_noticed(self):
        for rule, text, due in WRONG:
            with self.subTest(due):
                self.assertIn(due, list(rule(Headers([text + "\n"]))))

    def test_every_rule_has_been_seen_to_fail(self):
        self.assertEqual({rule for rule, _, _ in WRONG}, set(RULES))

    def test_exceptions_are_still_there(self):
        for name in EXCEPTIONS:
            self.assertIn(name.split()[0], PUBLIC.names)


if __name__ == "__main__":
    unittest.main()
