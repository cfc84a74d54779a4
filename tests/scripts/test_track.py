#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/track: what programs lose, line by line as memcheck says it; what other people's
tools read; and that nothing is lost however a program ends.

  tests/scripts/test_track.py [-v] [NAME...]
"""

import sys

sys.dont_write_bytecode = True

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import surroundings

surroundings.make_usual()

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
TRACK = TREE / "scripts/track"
GUEST = TREE / "tests/scripts/track_guest.c"
PLUGIN = "#include <stdlib.h>\nvoid plugin_loses(size_t bytes);\n" \
         "void plugin_loses(size_t bytes) {\n    (void)malloc(bytes);\n}\n"
CPP = """#include <string>
#include <vector>
struct Node { std::vector<int> numbers; };
int main() {
    new int[10];
    new Node{{1, 2, 3}};
    std::string kept(100, 'x');
    return kept.size() == 100 ? 0 : 1;
}
"""
MEMCHECK = ("valgrind", "--leak-check=full", "--show-leak-kinds=all", "--leak-resolution=high",
            "--leak-check-heuristics=none", "--num-callers=40", "--error-exitcode=0")
KINDS = ("definitely lost", "indirectly lost", "possibly lost", "still reachable")


def memcheck_losses(text):
    """{(kind, bytes, indirect bytes, blocks, frames in the guest's source)} as memcheck tells it."""
    found = []
    head = re.compile(r"([\d,]+) (?:\(([\d,]+) direct, ([\d,]+) indirect\) )?bytes in ([\d,]+) blocks "
                      r"are (.+?) in loss record")
    number = lambda word: int((word or "0").replace(",", ""))  # noqa: E731
    for line in re.sub(r"==\d+== ?", "", text).splitlines():
        match = head.search(line)
        frame = re.search(r"(?:at|by) 0x[0-9A-F]+: (\S.*) \((\w+\.\w+):(\d+)\)", line)
        if match is not None:
            size = number(match[2]) if match[2] else number(match[1])
            found.append([match[5], size, number(match[3]), number(match[4]), []])
        elif frame is not None and found:
            found[-1][4].append((frame[1], frame[2], int(frame[3])))
    return found


def own_losses(text):
    found = []
    head = re.compile(r"(\d+) bytes in (\d+) blocks are (.+?)(?: \((\d+) bytes more with them\))?$")
    for line in text.splitlines():
        match = head.match(line)
        frame = re.match(r"    (.+) \((\S+):(\d+)\)$", line)
        if match is not None:
            found.append([match[3], int(match[1]), int(match[4] or 0), int(match[2]), []])
        elif frame is not None and found:
            found[-1][4].append((frame[1], frame[2], int(frame[3])))
    return found


def in_source(losses, source):
    """Those with frames in the source, as sorted tuples; of the frames only these."""
    chosen = []
    for kind, size, indirect, blocks, frames in losses:
        own = tuple(frame for frame in frames if frame[1] == source)
        if own:
            chosen.append((kind, size, indirect, blocks, own))
    return sorted(chosen)


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for name in ("liblabtrack.so", "labtrack"):
            if not (TREE / "build/debug" / name).exists():
                sys.exit(f"build/debug/{name} is missing: `make track-tools` builds it")
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="test_track-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.guest = cls.folder / "track_guest"
        (cls.folder / "plugin.c").write_text(PLUGIN)
        (cls.folder / "cpp.cc").write_text(CPP)
        for command in (["gcc", "-g", "-O0", "-w", GUEST, "-o", cls.guest, "-pthread", "-ldl"],
                        ["gcc", "-g", "-O0", "-w", "-fPIC", "-shared", "plugin.c", "-o", "plugin.so"],
                        ["g++", "-g", "-O0", "-w", "cpp.cc", "-o", "cpp"]):
            subprocess.run(command, cwd=cls.folder, check=True)

    def track(self, *words, status=0, **options):
        """Runs scripts/track; returns its report and its standard error."""
        out = self.folder / "report"
        result = subprocess.run([str(TRACK), "-f", "-o", str(out), *map(str, words)],
                                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, check=False, **options)
        self.assertEqual(status, result.returncode, result.stderr)
        return out.read_text(), result.stderr

    def totals(self, report):
        """{kind: (bytes, blocks)}"""
        found = re.findall(r"^(.+): (\d+) bytes in (\d+) blocks$", report, flags=re.M)
        return {kind: (int(size), int(blocks)) for kind, size, blocks in found}


class Losses(Bench):
    def compare(self, scenario, expected):
        """memcheck and the tracker say the same, and it is not nothing."""
        said = subprocess.run([*MEMCHECK, self.guest, scenario], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
        theirs = in_source(memcheck_losses(said), GUEST.name)
        report, _ = self.track("--stacks", "--reachable", self.guest, scenario)
        ours = in_source(own_losses(report), GUEST.name)
        self.assertEqual(theirs, ours)
        self.assertEqual(expected, len(ours))
        for kind in KINDS[:3]:  # what is still reachable is more than in the source
            sums = re.search(rf"{kind}: ([\d,]+) bytes in ([\d,]+) blocks", said)
            self.assertEqual(tuple(int(word.replace(",", "")) for word in sums.groups()),
                             self.totals(report)[kind], kind)

    def test_a_lost_list_is_told_as_by_memcheck(self):
        self.compare("list", 5)

    def test_cycles_and_inner_pointers_are_told_as_by_memcheck(self):
        self.compare("cycle", 8)

    def test_error_paths_are_told_as_by_memcheck(self):
        self.compare("errors", 8)

    def test_a_real_program_loses_what_memcheck_says(self):
        command = ["perl", "-e", "my %h; $h{$_} = \"x$_\" for 1 .. 1000;"]
        said = subprocess.run([*MEMCHECK, *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
        report, _ = self.track("--stacks", *command)
        for kind in KINDS[:2]:
            sums = re.search(rf"{kind}: ([\d,]+) bytes in ([\d,]+) blocks", said)
            self.assertEqual(tuple(int(word.replace(",", "")) for word in sums.groups()),
                             self.totals(report)[kind], kind)
        self.assertGreater(self.totals(report)["definitely lost"][1], 0)

    def test_a_clean_interpreter_loses_nothing(self):
        command = ["/usr/bin/python3", "-c", "import json; print(json.dumps([1, 2, 3]))"]
        said = subprocess.run([*MEMCHECK, *command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False).stdout
        self.assertIn("definitely lost: 0 bytes in 0 blocks", said)
        report, _ = self.track(*command, stdin=subprocess.DEVNULL)
        self.assertEqual((0, 0), self.totals(report)["definitely lost"])

    def test_sisters_of_malloc_are_seen(self):
        report, _ = self.track("--stacks", self.guest, "sisters")
        lost = sorted(size for _, size, _, _, frames in own_losses(report)
                      if any(frame[1] == GUEST.name for frame in frames))
        page = resource.getpagesize()
        self.assertEqual(sorted([1000, 101, 128, 103, page]), lost)

    def test_new_of_cpp_is_seen(self):
        report, _ = self.track("--stacks", self.folder / "cpp")
        lost = {(size, indirect) for kind, size, indirect, _, _ in own_losses(report)
                if kind == "definitely lost"}
        self.assertEqual({(40, 0), (24, 12)}, lost)

    def test_threads(self):
        report, _ = self.track("--stacks", "--reachable", self.guest, "threads")
        losses = in_source(own_losses(report), GUEST.name)
        self.assertIn(("definitely lost", 8 * 50 * 32, 0, 8 * 50),
                      [loss[:4] for loss in losses])
        held = [loss for loss in losses if loss[1] == 77]
        self.assertEqual(["still reachable"], [loss[0] for loss in held])

    def test_children_are_not_tracked_and_disturb_nothing(self):
        report, _ = self.track(self.guest, "processes")
        self.assertEqual((222, 1), self.totals(report)["definitely lost"])

    def test_children_are_tracked_if_asked_for(self):
        self.track("--children", self.guest, "processes")
        children = [path.read_text() for path in self.folder.glob("report.*")]
        for path in self.folder.glob("report.*"):
            path.unlink()
        self.assertEqual(1, sum("1111 bytes in 1 blocks" in text for text in children), children)
        self.track("--children", "sh", "-c", f"{self.guest} exit; {self.guest} _exit; true")
        lost = sorted(self.totals(path.read_text()).get("definitely lost", (0, 0))
                      for path in self.folder.glob("report.*"))
        self.assertEqual([(44, 1), (45, 1)], lost[-2:])

    def test_what_a_plugin_loses_has_its_names_after_it_is_gone(self):
        report, _ = self.track("--stacks", self.guest, "plugin", self.folder)
        self.assertIn("666 bytes in 2 blocks are definitely lost\n    plugin_loses (plugin.c:4)", report)

    def test_exec_starts_afresh(self):
        report, _ = self.track("--stacks", self.guest, "exec")
        same, _ = self.track("--stacks", self.guest, "errors")
        self.assertEqual(in_source(own_losses(same), GUEST.name),
                         in_source(own_losses(report), GUEST.name))
        self.assertNotIn("999", report)


class Endings(Bench):
    def test_ways_to_exit(self):
        for way, size in (("exit", 44), ("_exit", 45), ("quick_exit", 46)):
            report, _ = self.track(self.guest, way, status=7)
            self.assertEqual((size, 1), self.totals(report)["definitely lost"], way)

    def test_crashed_and_killed_programs_leave_what_was_known(self):
        for way, size, number in (("crash", 55, signal.SIGSEGV), ("kill", 66, signal.SIGKILL)):
            report, said = self.track("--stacks", self.guest, way, status=128 + number)
            self.assertIn("it did not end by itself", said)
            self.assertRegex(report, rf"(?m)^{size} bytes in 1 blocks .*\n    lose \(track_guest.c")

    def test_all_descriptors_may_be_closed(self):
        report, _ = self.track(self.guest, "close")
        self.assertEqual((88, 1), self.totals(report)["definitely lost"])

    def test_no_descriptor_stays_open(self):
        command = ["/usr/bin/python3", "-c", "import os; print(os.listdir('/proc/self/fd'))"]
        alone = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        tracked = subprocess.run([TRACK, "-f", "-o", self.folder / "report", *command], check=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        self.assertEqual(alone.stdout, tracked.stdout)

    def test_output_and_status_are_the_programs(self):
        result = subprocess.run([str(TRACK), "-q", "-f", "-o", "report", "sh", "-c",
                                 "cat; echo err >&2; exit 5"], cwd=self.folder, input="in\n",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((5, "in\n", "err\n"), (result.returncode, result.stdout, result.stderr))

    def test_nothing_is_left_in_folders_for_temporary_files(self):
        before = {path for path in os.listdir("/dev/shm") if path.startswith("track-")}
        self.track(self.guest, "list")
        self.assertEqual(before, {path for path in os.listdir("/dev/shm")
                                  if path.startswith("track-")})


class Formats(Bench):
    def test_folded_stacks_and_flame_graph(self):
        folded, _ = self.track("--stacks", "--format", "folded", self.guest, "list")
        self.assertRegex(folded, r"(?m)^_start;.*main;lose_list;make_list;make_link 208$")
        drawn, _ = self.track("--stacks", "--format", "svg", self.guest, "list")
        root = xml.etree.ElementTree.fromstring(drawn)
        titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
        self.assertTrue(any(title.startswith("make_link: 299 bytes") for title in titles), titles)
        for box in root.iter("{http://www.w3.org/2000/svg}rect"):
            self.assertGreaterEqual(float(box.get("width")), 0)

    def test_all_that_was_allocated(self):
        folded, _ = self.track("--stacks", "--format", "folded-all", self.guest, "threads")
        work = sum(int(line.rpartition(" ")[2]) for line in folded.splitlines() if ";work " in line)
        self.assertEqual(8 * (50 * 32 + 50 * 51 // 2), work)

    def test_pprof_reads_heap_profiles(self):
        self.track("--stacks", "--format", "heap_v2", self.guest, "errors")
        said = subprocess.run(["google-pprof", "--text", str(self.guest),
                               "report"], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(0, said.returncode, said.stderr)
        self.assertIn("fail_early", said.stdout)
        objects = subprocess.run(["google-pprof", "--text", "--inuse_objects", str(self.guest),
                                  "report"], cwd=self.folder, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True, check=False).stdout
        self.assertRegex(objects, r"Total: 12 objects")

    def test_samples_say_so(self):
        profile, _ = self.track("--stacks", "--format", "heap_v2", "--sample", "1000", self.guest,
                                "threads")
        self.assertRegex(profile.splitlines()[0], r"^heap profile: .* @ heap_v2/1000$")
        said = subprocess.run(["google-pprof", "--text", str(self.guest), "report"], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertIn("1-in-1000", said.stderr)

    def test_heaptrack_print_reads_its_file(self):
        self.track("--stacks", "--format", "heaptrack", self.guest, "errors")
        os.replace(self.folder / "report", self.folder / "report.heaptrack")
        said = subprocess.run(["heaptrack_print", "report.heaptrack"], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(0, said.returncode, said.stderr)
        self.assertIn("fail_early", said.stdout)
        self.assertIn("track_guest.c", said.stdout)
        self.assertRegex(said.stdout, r"calls to allocation functions: 24 ")


    def test_files_may_have_any_names(self):
        folder = os.path.join(os.fsencode(self.folder), b"\xff \x0b")
        os.makedirs(os.path.join(folder, b"\n"))
        program, source = (os.path.join(folder, name) for name in (b"\n/pro\ngram", b"source.c"))
        shutil.copyfile(GUEST, source)
        subprocess.run(["gcc", "-g", "-O0", "-w", source, "-o", program, "-pthread", "-ldl"],
                       check=True)
        for form, due in (("leaks", b"make_link"), ("folded", b"make_link 208\n"),
                          ("heap_v2", b"\xff \x0b/\\012/pro\\012gram\n"), ("svg", b"make_link"),
                          ("heaptrack", b"make_link")):
            out = self.folder / f"named.{form}"
            ended = subprocess.run([str(TRACK), "-o", str(out), "--stacks", "--format", form, program,
                                    "list", b"\x01\xfe"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, check=False)
            self.assertEqual(0, ended.returncode, ended.stderr)
            self.assertIn(due, out.read_bytes())
        xml.etree.ElementTree.parse(self.folder / "named.svg")


class BadInput(Bench):
    def refused(self, *words, **options):
        result = subprocess.run([str(TRACK), *map(str, words)], cwd=self.folder, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options)
        self.assertEqual(2, result.returncode, result.stderr)
        self.assertEqual(1, len(result.stderr.splitlines()), result.stderr)
        return result.stderr

    def test_bad_commands_are_refused_in_one_line(self):
        (self.folder / "there").write_text("kept")
        self.assertIn("no such program", self.refused("no-such-program"))
        self.assertIn("-f replaces it", self.refused("-o", "there", self.guest, "list"))
        self.assertIn("make track-tools", self.refused("--build", self.folder, "-o", "new", "true"))
        self.assertIn("--sample", self.refused("--sample", "5", "-o", "new", "true"))
        self.assertIn("--depth", self.refused("--depth", "65", "-o", "new", "true"))
        self.assertIn("--sample", self.refused("--format", "live", "--sample", "x", "-o", "new", "true"))
        self.assertEqual("kept", (self.folder / "there").read_text())
        self.assertFalse((self.folder / "new").exists())

    def test_what_cannot_be_tracked_is_named(self):
        (self.folder / "static.c").write_text("int main(void) { return 0; }")
        subprocess.run(["gcc", "-static", "static.c", "-o", "static"], cwd=self.folder, check=True)
        self.assertIn("statically linked", self.refused("-o", "new", "./static"))

    def test_images_of_others_are_refused(self):
        tool = TREE / "build/debug/labtrack"
        for content in (b"", b"LABTRACK", b"x" * 400000):
            (self.folder / "image").write_bytes(content)
            result = subprocess.run([str(tool), "--status", "image"], cwd=self.folder, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((2, 1), (result.returncode, len(result.stderr.splitlines())))


if __name__ == "__main__":
    unittest.main()
