"""Who may know whom: the dependency rules of the project, all of them, as one table.

A unit is a folder. A rule forbids units from including headers of, or linking, other units or a foreign library. Includes are
judged with everything they pull in: knowing somebody through a third header is knowing them.
"""

import dataclasses
import re

# Longest match decides which unit a file belongs to. A folder of compiler/ or runtime/ that is not here is an error.
UNITS = [
    "bpf_templates/include", "bpf_templates",
    *(f"compiler/{name}" for name in (
        "source", "diagnostics", "syntax", "ast", "sema", "model", "analysis", "plan", "lower", "emit", "eval", "cli")),
    "runtime/base", "runtime/bundle", "runtime/loader", "runtime/agent",
    "runtime/handler/io", "runtime/handler/tls", "runtime/handler/http", "runtime/handler/upstream", "runtime/handler/tunnel",
    "runtime/handler",
    "tests/unit", "tests/golden", "tests/kernel", "tests/differential", "tests/e2e", "tests/fuzz", "tests/bench",
    "tests/structure", "tests/matrix", "tests",
]


@dataclasses.dataclass(frozen=True)
class Foreign:
    headers: str  # pattern of absolute header paths
    libraries: str  # pattern of names in a link line


FOREIGN = {
    "ANTLR": Foreign(r"/antlr4-runtime/", r"antlr"),
    "LLVM": Foreign(r"/llvm-\d+/include/", r"^heddle::llvm$|heddle_llvm|^LLVM|libLLVM"),
    # BPF C has helpers in the same folder; those are no part of the library.
    # Its headers lie in LLVM's folder, which is LLVM's rule, too.
    "Clang": Foreign(r"/llvm-\d+/include/clang", r"^heddle::clang$|heddle_clang|clang-cpp|^clang[A-Z]"),
    "libbpf": Foreign(r"/include/bpf/(?!bpf_helper|bpf_endian|bpf_tracing|bpf_core_read|usdt)", r"libbpf|LIBBPF|^bpf$"),
    "nghttp2": Foreign(r"/include/nghttp2/", r"nghttp2|NGHTTP2"),
    "OpenSSL": Foreign(r"/include/(\S+/)?openssl/", r"OpenSSL::|^ssl$|^crypto$|libssl|libcrypto"),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    who: str  # pattern of units that the rule binds
    unless: str  # pattern of units, or of source files (`compiler/cli/sign.cpp`), that it does not bind
    target: str  # a key of FOREIGN, or a pattern of units
    # What the test plants to see the rule fail: the unit that misbehaves, and the header or unit it reaches for.
    plant: tuple

    @property
    def is_foreign(self):
        return self.target in FOREIGN


NOBODY = r"(?!)"
RULES = [
    Rule("the compiler does not know the runtime", r"compiler/", r"compiler/cli$", r"runtime/",
         ("compiler/sema", "runtime/base")),
    Rule("of the runtime, the command line knows base, bundle and loader", r"compiler/cli$", NOBODY,
         r"runtime/(?!base$|bundle$|loader$)", ("compiler/cli", "runtime/handler/http")),
    Rule("the runtime does not know the compiler", r"runtime/", NOBODY, r"compiler/", ("runtime/agent", "compiler/model")),
    Rule("the templates know neither compiler nor runtime", r"bpf_templates", NOBODY, r"compiler/|runtime/",
         ("bpf_templates", "runtime/base")),
    Rule("of the templates, others include only the contract", r"compiler/|runtime/", NOBODY, r"bpf_templates$",
         ("runtime/loader", "bpf_templates")),
    Rule("ANTLR stays in syntax", r"", r"compiler/syntax$", "ANTLR",
         ("compiler/sema", "/usr/include/antlr4-runtime/antlr4-common.h", "heddle::antlr")),
    Rule("LLVM stays in lower and emit", r"", r"compiler/(lower|emit)$", "LLVM",
         ("compiler/plan", "/usr/lib/llvm-19/include/llvm/Config/llvm-config.h", "heddle::llvm")),
    Rule("Clang stays in emit", r"", r"compiler/emit$", "Clang",
         ("compiler/lower", "/usr/lib/llvm-19/include/clang/Basic/Version.inc", "heddle::clang")),
    Rule("libbpf stays in the loader, the kernel tests and the bench", r"", r"runtime/loader$|tests/(kernel|bench)$", "libbpf",
         ("runtime/agent", "/usr/include/bpf/libbpf_version.h", "heddle::libbpf")),
    Rule("OpenSSL stays in tls, bundle and the commands about keys", r"compiler/|runtime/|bpf_templates",
         r"runtime/handler/tls$|runtime/bundle$|compiler/cli/(commands/)?(keygen|sign|verify|ca)\.cpp$", "OpenSSL",
         ("runtime/handler/http", "/usr/include/openssl/opensslv.h", "OpenSSL::SSL")),
    Rule("nghttp2 stays in the tunnel", r"", r"runtime/handler/tunnel$|tests/unit$", "nghttp2",
         ("runtime/handler/http", "/usr/include/nghttp2/nghttp2ver.h", "heddle::nghttp2")),
    Rule("the evaluator knows nothing of code generation", r"compiler/eval$", NOBODY, r"compiler/(plan|lower|emit)$",
         ("compiler/eval", "compiler/lower")),
    Rule("analysis does not know the evaluator", r"compiler/analysis$", NOBODY, r"compiler/eval$",
         ("compiler/analysis", "compiler/eval")),
]


def unit_of(path):
    """The unit that a path relative to the project's root belongs to; None outside of all."""
    best = None
    for unit in UNITS:
        if (path == unit or path.startswith(unit + "/")) and (best is None or len(unit) > len(best)):
            best = unit
    return best


def broken_by_unit(rule, unit, source, known):
    """Whether `source` (a file of `unit`) breaks the rule by knowing the unit `known`."""
    if rule.is_foreign or not _binds(rule, unit, source) or known == unit:
        return False
    return re.match(rule.target, known) is not None


def broken_by_header(rule, unit, source, header):
    if not rule.is_foreign or not _binds(rule, unit, source):
        return False
    return re.search(FOREIGN[rule.target].headers, header) is not None


def broken_by_library(rule, unit, library):
    if not rule.is_foreign or not _binds(rule, unit, None):
        return False
    return re.search(FOREIGN[rule.target].libraries, library) is not None


def _binds(rule, unit, source):
    if not re.match(rule.who, unit) or re.match(rule.unless, unit):
        return False
    if source is None:
        # A link is the whole unit's: bound unless some of its files are excused.
        return not re.search(re.escape(unit) + r"/\(", rule.unless)
    return not re.match(rule.unless, source)
