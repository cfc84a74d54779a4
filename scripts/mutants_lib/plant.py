# SPDX-License-Identifier: MIT
"""Plants every mutant of a C file at once: the text of the file with a switch at each place,
TH_MUTANT(n), of which at most one is on. Only one mutant is ever active, so what a switch chooses
instead is made of the text as it was: places inside of each other cost no more than their length.

    a < b      =>  (TH_MUTANT(1) ? a <= b : TH_MUTANT(2) ? a >= b : a < b)
    f(x);      =>  if (!TH_MUTANT(3)) { f(x); }

What comes from a macro is left as it is, and so is what must be constant: sizes of arrays, labels,
static initialisers, assertions."""

import pathlib
from typing import Any, NamedTuple, Optional

cindex: Any
try:
    import clang.cindex
    cindex = clang.cindex
except ImportError:  # said by scripts/mutants
    cindex = None

RESOURCES = "/usr/lib/llvm-19/lib/clang/19"
SAME_TYPE_ONLY = {"-": "+", "+": "-"}
BINARY = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"),
    "==": ("!=",), "!=": ("==",), "&&": ("||",), "||": ("&&",),
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",),
    "<<": (">>",), ">>": ("<<",), "&": ("|",), "|": ("&",), "^": ("|",),
}
ASSIGN = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "<<=": ">>=", ">>=": "<<=",
          "&=": "|=", "|=": "&=", "^=": "|="}
ARITHMETIC = {"+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^"}


class Mutant(NamedTuple):
    number: int
    line: int
    text: str  # of the line, without what is around it
    change: str  # what stands in place of what


class Unreadable(Exception):
    """The file does not parse: one line."""


class Planter:
    """One file's mutants, and its text with all of them."""

    def __init__(self, path: pathlib.Path, flags: list[str]) -> None:
        self.source = path.read_bytes()
        self.lines = self.source.decode("utf-8").split("\n")
        self.mutants: list[Mutant] = []
        index = cindex.Index.create()
        unit = index.parse(str(path), args=[*flags, "-resource-dir", RESOURCES],
                           options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        for problem in unit.diagnostics:
            if problem.severity >= cindex.Diagnostic.Error:
                place = problem.location
                raise Unreadable(f"{path}:{place.line}: {problem.spelling}")
        self.path = str(path)
        self.macros = [(node.extent.start.offset, node.extent.end.offset)
                       for node in unit.cursor.get_children()
                       if node.kind == cindex.CursorKind.MACRO_INSTANTIATION and self.is_here(node)]
        pieces, at = [], 0
        for node in unit.cursor.get_children():
            if node.kind == cindex.CursorKind.FUNCTION_DECL and node.is_definition() \
                    and self.is_here(node):
                body = [child for child in node.get_children()
                        if child.kind == cindex.CursorKind.COMPOUND_STMT]
                start, end = self.span(body[-1]) if body else (0, 0)
                if not body or start < at or self.in_macro(start, end):
                    continue
                self.result_type = node.result_type.get_canonical()
                pieces += [self.source[at:start].decode("utf-8"), self.render(body[-1])]
                at = end
        pieces.append(self.source[at:].decode("utf-8"))
        self.text = "".join(pieces)

    # ---- places

    def is_here(self, node: Any) -> bool:
        file = node.location.file
        return file is not None and file.name == self.path

    @staticmethod
    def span(node: Any) -> tuple[int, int]:
        return node.extent.start.offset, node.extent.end.offset

    def in_macro(self, start: int, end: int) -> bool:
        return any(first <= start and end <= last for first, last in self.macros)

    def raw(self, node: Any) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode("utf-8")

    def switch(self, node: Any, old: str, new: str) -> str:
        """A new mutant; what is true where it is on."""
        number = len(self.mutants) + 1
        line = node.extent.start.line
        change = " ".join(f"{old} -> {new}".split())
        self.mutants.append(Mutant(number, line, self.lines[line - 1].strip(), change))
        return f"TH_MUTANT({number})"

    # ---- text

    def inner(self, node: Any, wanted: Optional[list[Any]] = None) -> str:
        """The text of a node with its children (or only some) rendered."""
        start, end = self.span(node)
        children = wanted if wanted is not None else list(node.get_children())
        pieces, at = [], start
        for child in sorted(children, key=self.span):
            first, last = self.span(child)
            if first < at or last > end or not self.is_here(child):
                continue
            pieces += [self.source[at:first].decode("utf-8"), self.render(child)]
            at = last
        pieces.append(self.source[at:end].decode("utf-8"))
        return "".join(pieces)

    def choose(self, node: Any, ways: list[tuple[str, str]], text: str) -> str:
        """`text`, or what each way says instead: (what is shown of it, the expression)."""
        shown = self.raw(node)
        chain = "".join(f"{self.switch(node, shown, show)} ? ({way}) : " for show, way in ways)
        return f"({chain}({text}))" if ways else text

    def condition(self, node: Any) -> str:
        """Of a branch: forced both ways."""
        if self.in_macro(*self.span(node)):
            return self.raw(node)
        return self.choose(node, [("true", "1"), ("false", "0")], self.render(node))

    def render(self, node: Any) -> str:
        kinds = cindex.CursorKind
        if self.in_macro(*self.span(node)) and node.kind != kinds.INTEGER_LITERAL:
            return self.raw(node)
        special = {
            kinds.BINARY_OPERATOR: self.binary, kinds.COMPOUND_ASSIGNMENT_OPERATOR: self.compound,
            kinds.UNARY_OPERATOR: self.unary, kinds.INTEGER_LITERAL: self.literal,
            kinds.IF_STMT: self.branch, kinds.WHILE_STMT: self.branch, kinds.DO_STMT: self.branch,
            kinds.FOR_STMT: self.loop, kinds.CONDITIONAL_OPERATOR: self.branch,
            kinds.COMPOUND_STMT: self.block, kinds.RETURN_STMT: self.give,
            kinds.CALL_EXPR: self.call, kinds.VAR_DECL: self.variable,
            kinds.CASE_STMT: self.labelled, kinds.DEFAULT_STMT: self.labelled,
            kinds.INIT_LIST_EXPR: self.fields,
        }.get(node.kind)
        if node.kind in (kinds.TYPE_REF, kinds.CXX_UNARY_EXPR, kinds.STRUCT_DECL, kinds.ENUM_DECL,
                         kinds.TYPEDEF_DECL, kinds.STATIC_ASSERT):
            return self.raw(node)
        return special(node) if special else self.inner(node)

    @staticmethod
    def is_number(node: Any) -> bool:
        kind = node.type.get_canonical().kind
        return kind in (cindex.TypeKind.BOOL, cindex.TypeKind.ENUM) or \
            cindex.TypeKind.CHAR_U.value <= kind.value <= cindex.TypeKind.INT128.value

    @staticmethod
    def is_pointer(node: Any) -> bool:
        return bool(node.type.get_canonical().kind == cindex.TypeKind.POINTER)

    def binary(self, node: Any) -> str:
        left, right = list(node.get_children())
        between = self.source[self.span(left)[1]:self.span(right)[0]].decode("utf-8")
        operator = between.strip()
        text = self.inner(node)
        if operator not in BINARY or self.in_macro(*self.span(node)):
            return text
        if operator in ARITHMETIC and not (self.is_number(left) and self.is_number(right)):
            if operator not in SAME_TYPE_ONLY or not self.is_number(right):
                return text
        ways = []
        for other in BINARY[operator]:
            ways.append((f"{self.raw(left)} {other} {self.raw(right)}",
                         f"({self.raw(left)}) {other} ({self.raw(right)})"))
        return self.choose(node, ways, text)

    def compound(self, node: Any) -> str:
        left, right = list(node.get_children())
        operator = self.source[self.span(left)[1]:self.span(right)[0]].decode("utf-8").strip()
        text = self.inner(node, [right])
        if operator not in ASSIGN or self.in_macro(*self.span(node)):
            return text
        other = f"{self.raw(left)} {ASSIGN[operator]} {self.raw(right)}"
        return self.choose(node, [(other, other)], text)

    def unary(self, node: Any) -> str:
        (operand,) = node.get_children()
        start, end = self.span(node)
        first, last = self.span(operand)
        before = self.source[start:first].decode("utf-8").strip()
        after = self.source[last:end].decode("utf-8").strip()
        shown = self.raw(operand)
        if before in ("!", "-", "~"):
            return self.choose(node, [(shown, shown)], self.inner(node))
        if before in ("++", "--"):
            other = ("--" if before == "++" else "++") + shown
            return self.choose(node, [(other, other)], self.raw(node))
        if after in ("++", "--"):
            other = shown + ("--" if after == "++" else "++")
            return self.choose(node, [(other, other)], self.raw(node))
        return self.inner(node) if before == "*" else self.raw(node)

    def literal(self, node: Any) -> str:
        shown = self.raw(node)
        start, end = self.span(node)
        if self.in_macro(start, end) and (start, end) not in self.macros:
            return shown
        if shown in ("true", "false"):
            other = "false" if shown == "true" else "true"
            return self.choose(node, [(other, other)], shown)
        ways = [f"{shown} + 1", f"{shown} - 1"]
        return self.choose(node, list(zip(ways, ways)), shown)

    def branch(self, node: Any) -> str:
        """An if, a loop or a choice: its condition, forced; the rest as it comes."""
        children = list(node.get_children())
        position = len(children) - 1 if node.kind == cindex.CursorKind.DO_STMT else 0
        return self.with_condition(node, children, children[position])

    def loop(self, node: Any) -> str:
        """Which of the parts of a for is there, only its text says."""
        children = list(node.get_children())
        start, _ = self.span(node)
        body = children[-1]
        head = self.source[start:self.span(body)[0]].decode("utf-8")
        depth, semicolons = 0, []
        for position, character in enumerate(head):
            depth += (character == "(") - (character == ")")
            if character == ";" and depth == 1:
                semicolons.append(start + position)
        if len(semicolons) != 2:
            return self.raw(node)
        condition = [child for child in children[:-1]
                     if semicolons[0] < self.span(child)[0] < semicolons[1]]
        return self.with_condition(node, children, condition[0] if condition else None)

    def with_condition(self, node: Any, children: list[Any], condition: Any) -> str:
        start, end = self.span(node)
        pieces, at = [], start
        for child in sorted(children, key=self.span):
            first, last = self.span(child)
            if first < at:
                continue
            is_condition = condition is not None and self.span(child) == self.span(condition)
            pieces += [self.source[at:first].decode("utf-8"),
                       self.condition(child) if is_condition else self.render(child)]
            at = last
        pieces.append(self.source[at:end].decode("utf-8"))
        return "".join(pieces)

    def statement(self, node: Any) -> str:
        """What stands where a statement stands: it can be left out. Its semicolon follows."""
        kinds = cindex.CursorKind
        end = self.span(node)[1]
        follows = self.source[end:end + 8].decode("utf-8", "replace").lstrip()
        text = self.render(node)
        deletable = node.kind in (kinds.CALL_EXPR, kinds.UNARY_OPERATOR, kinds.BINARY_OPERATOR,
                                  kinds.COMPOUND_ASSIGNMENT_OPERATOR) or \
            (node.kind == kinds.CSTYLE_CAST_EXPR and
             any(child.kind == kinds.CALL_EXPR for child in node.get_children()))
        if deletable and follows.startswith(";") and not self.in_macro(*self.span(node)):
            shown = self.raw(node) + ";"
            return f"if (!{self.switch(node, shown, 'nothing')}) {text}"
        return text

    def block(self, node: Any) -> str:
        start, end = self.span(node)
        pieces, at = [], start
        for child in node.get_children():
            first, last = self.span(child)
            if first < at:
                continue
            text = self.statement(child)
            if text.startswith("if (!TH_MUTANT"):
                semicolon = self.source.index(b";", last)
                pieces += [self.source[at:first].decode("utf-8"), "{ ", text, "; }"]
                at = semicolon + 1
                continue
            pieces += [self.source[at:first].decode("utf-8"), text]
            at = last
        pieces.append(self.source[at:end].decode("utf-8"))
        return "".join(pieces)

    def labelled(self, node: Any) -> str:
        children = list(node.get_children())
        return self.inner(node, children[-1:])

    def give(self, node: Any) -> str:
        children = list(node.get_children())
        if not children:
            return self.raw(node)
        value = children[0]
        text = self.inner(node)
        shown = self.raw(value)
        kind = self.result_type.kind
        ways = []
        if self.in_macro(*self.span(value)) and shown not in ("true", "false", "NULL"):
            if shown.startswith("TH_") and shown.isupper() and "(" not in shown:
                ways = [("another value", f"{shown} + 1")]
        elif kind == cindex.TypeKind.BOOL or shown in ("true", "false"):
            ways = [(f"!({shown})", f"!({shown})")]
        elif kind == cindex.TypeKind.POINTER:
            ways = [("NULL", "0")] if shown != "NULL" else [("(void *)8", "(void *)8")]
        elif kind == cindex.TypeKind.ENUM or \
                cindex.TypeKind.CHAR_U.value <= kind.value <= cindex.TypeKind.INT128.value:
            ways = [("0", "0"), (f"{shown} + 1", f"({shown}) + 1")]
        if not ways:
            return text
        prefix = "".join(f"if ({self.switch(node, f'return {shown}', f'return {show}')}) "
                         f"return {way}; else " for show, way in ways)
        return prefix + text

    def call(self, node: Any) -> str:
        arguments = list(node.get_arguments())
        text = self.inner(node)
        for first, second in zip(arguments, arguments[1:]):
            same = first.type.get_canonical().spelling == second.type.get_canonical().spelling
            if not same or self.raw(first) == self.raw(second) or \
                    self.in_macro(*self.span(node)) or not self.is_here(second) or \
                    not (self.is_number(first) or self.is_pointer(first)):
                continue
            start, end = self.span(node)
            one, two = self.span(first), self.span(second)
            swapped = (self.source[start:one[0]] + self.source[two[0]:two[1]] +
                       self.source[one[1]:two[0]] + self.source[one[0]:one[1]] +
                       self.source[two[1]:end]).decode("utf-8")
            if node.type.kind == cindex.TypeKind.VOID:
                return text
            text = f"({self.switch(node, self.raw(node), swapped)} ? ({swapped}) : ({text}))"
        return text

    def variable(self, node: Any) -> str:
        kinds = cindex.CursorKind
        if node.storage_class == cindex.StorageClass.STATIC:
            return self.raw(node)
        children = [child for child in node.get_children() if child.kind != kinds.TYPE_REF]
        array = node.type.get_canonical().kind in (cindex.TypeKind.CONSTANTARRAY,
                                                   cindex.TypeKind.VARIABLEARRAY)
        if array:
            children = [child for child in children if child.kind == kinds.INIT_LIST_EXPR]
        value = children[-1] if children else None
        if value is None or array or not (self.is_number(node) or self.is_pointer(node)) or \
                "=" not in self.raw(node) or self.in_macro(*self.span(value)) or \
                self.raw(value) in ("0", "NULL", "false"):
            return self.inner(node, children[-1:])
        start, _ = self.span(node)
        first, last = self.span(value)
        text = self.choose(value, [("0 (initialiser)", "0")], self.render(value))
        return self.source[start:first].decode("utf-8") + text + \
            self.source[last:self.span(node)[1]].decode("utf-8")

    def fields(self, node: Any) -> str:
        """An initialiser in braces: each field can be left out."""
        start, end = self.span(node)
        pieces, at = [], start
        for child in node.get_children():
            first, last = self.span(child)
            if first < at:
                continue
            value = child
            if child.kind == cindex.CursorKind.UNEXPOSED_EXPR:  # .name = value
                inside = list(child.get_children())
                value = inside[-1] if inside else child
            first, last = self.span(value)
            text = self.render(value)
            if (self.is_number(value) or self.is_pointer(value)) and \
                    not self.in_macro(first, last) and self.raw(value) not in ("0", "NULL"):
                text = self.choose(value, [("0 (initialiser)", "0")], text)
            pieces += [self.source[at:first].decode("utf-8"), text]
            at = last
        pieces.append(self.source[at:end].decode("utf-8"))
        return "".join(pieces)


HEAD = """\
#ifdef TH_MUTANT_ONLY
#define TH_MUTANT(number) (TH_MUTANT_ONLY == (number))
#else
extern int th_mutant;
#define TH_MUTANT(number) (th_mutant == (number))
#endif
"""


def plant(path: pathlib.Path, flags: list[str]) -> tuple[str, list[Mutant]]:
    planter = Planter(path, flags)
    return f"{HEAD}#line 1 \"{path}\"\n{planter.text}", planter.mutants
