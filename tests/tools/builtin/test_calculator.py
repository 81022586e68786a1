"""The tool `calculator`: what it works out, and what it does not, however it is asked."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tools.builtin.calculator import MAX_DIGITS, calculator
from app.tools.tool import Caller, ToolError
from tests.support.server import ROOT

CALLER = Caller("owner", "session", "run", "call")


def worked_out(expression: object) -> str:
    output = calculator.run(calculator.check({"expression": expression}), CALLER)
    assert isinstance(output, str)
    return output


@pytest.mark.parametrize(
    "expression,result",
    [
        ("1 + 2", "3"),
        (" 2 * (3 + 4) ", "14"),
        ("-3 - -4", "1"),
        ("+-+3", "-3"),
        ("7 / 2", "3.5"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("2 ** 10", "1024"),
        ("2 ^ 10", "1024"),
        ("2 ** -1", "0.5"),
        ("2 ** 0.5", "1.4142135623730951"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("1_000 * 0x10 + 0b11", "16003"),
        ("1e3", "1000.0"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("sqrt(2) ** 2", "2.0000000000000004"),
        ("log(100, 10)", "2.0"),
        ("log2(8) + log10(1000)", "6.0"),
        ("round(2.345, 2)", "2.35"),
        ("round(1250, -2)", "1200"),
        ("round(2.5)", "2"),
        ("floor(-2.5) + ceil(2.1)", "0"),
        ("max(1, 2, 3) - min(4, 5)", "-1"),
        ("abs(-5)", "5"),
        ("sin(pi / 2) + cos(0)", "2.0"),
        ("atan2(1, 1) * 4 / tau", "0.5"),
        ("exp(1) - e", "0.0"),
        ("1 ** 999999999999", "1"),
        ("(-1) ** 999999999999", "-1"),
        ("0 ** 999999999999", "0"),
        ("2 ** -999999999999", "0.0"),
        ("10 ** 999", "1" + "0" * 999),
        ("10 ** 900 + 10 ** 900", "2" + "0" * 900),
        ("10 ** 900 // 10 ** 899", "10"),
        ("9" * 1000, "9" * 1000),
        ("5 - 5 * 1", "0"),
        ("2 ** 3321", str(2**3321)),
    ],
)
def test_arithmetic(expression: str, result: str) -> None:
    assert worked_out(expression) == result


TOO_MUCH = (
    "2**2**99",
    "9**9**9**9",
    "9**9**9",
    "2**99999999999999999999",
    "(2**3000)**3000",
    "10**1000000000",
    "(-10)**1000000000",
    "(10**900)*(10**900)",
    "*".join(["9" * 100] * 9) + "*9**9**9",
    "(9**900)*(9**900)*(9**900)",
    "((2**1000)**1000)**1000",
    "10 ** 1000",
    "2 ** 3322",
    "round(5, -10**9)",
    "round(5, -999999999)",
    "round(1.5, 10**300)",
    "round(10**900, -10**900)",
    "1e400",
    "-1e400",
    "1e308 * 10",
    "1e400 - 1e400",
    "2.0 ** 5000",
    "exp(1000)",
    "floor(1e400)",
    "10**400 / 3",
    "10**400 * 1.5",
    "sqrt(10**900)",
    "max(1e400, 1)",
    "1 / 0",
    "1 // 0",
    "1 % 0",
    "1.0 % 0.0",
    "0 ** -1",
    "sqrt(-1)",
    "log(0)",
    "asin(2)",
    "(-8) ** 0.5",
    "(-8) ** (1/3)",
)
NO_ARITHMETIC = (
    "x",
    "True",
    "None",
    "1 + True",
    "not 1",
    "~1",
    "1 < 2",
    "1 == 1",
    "1 and 2",
    "1 or 2",
    "1 | 2",
    "1 & 2",
    "1 << 100",
    "1 << 10**10",
    "1 @ 2",
    "1j",
    "1j * 1j",
    "'a' * 10**9",
    "'a' + 'b'",
    "b'a'",
    "f'{1}'",
    "...",
    "[1]",
    "(1, 2)",
    "{1: 2}",
    "[0] * 10**9",
    "[x for x in (1,)]",
    "lambda: 1",
    "(lambda: 1)()",
    "1 if 1 else 2",
    "(x := 1)",
    "await 1",
    "yield 1",
    "x = 1",
    "1; 2",
    "1\n2",
    "import os",
    "__import__('os').system('id')",
    "open('/etc/passwd')",
    "eval('1')",
    "exec('1')",
    "print(1)",
    "().__class__",
    "(1).__class__.__mro__",
    "(1).real",
    "pi.real",
    "sqrt.__self__",
    "math.sqrt(2)",
    "sqrt",
    "sqrt()",
    "sqrt(1, 2)",
    "sqrt(x=1)",
    "sqrt(*[1])",
    "max(*[1, 2])",
    "max(1)",
    "max()",
    "max(1, 2, key=abs)",
    "min('a', 'b')",
    "abs('a')",
    "round(1, 2, 3)",
    "round(1.5, 0.5)",
    "round('a')",
    "sin(sqrt)",
    "pi()",
    "2(3)",
    "1 2",
    "1 +",
    "()",
    "",
    " ",
    "#",
    "1 + # 2",
    ")",
    "1\x00",
    "\x00",
    "1 + 1\\",
    "0x",
    "09",
    "1__0",
    "1e",
    "$1",
    "1?",
    "١ + ٢",
    "1 ＋ 2",
    "²",
    "½",
    "∞",
    "infinity",
    "nan",
    "inf",
)
DEEP = (
    "(" * 500 + "1" + ")" * 499,
    "(" * 400 + "1" + ")" * 400,
    "(" * 1000,
    "-" * 999 + "1",
    "+" * 500 + "1",
    "1" + "+1" * 499,
    "1" + "**1" * 330,
    "sqrt(" * 150 + "1" + ")" * 150,
    "abs(" * 199 + "1" + ")" * 199,
    "[" * 500 + "]" * 500,
    "{" * 500,
    "not " * 240 + "1",
    "1" + "if 1 else 1" * 80,
    "a." * 400 + "b",
    "1" + "[1]" * 300,
    "f" * 999,
    "lambda:" * 140 + "1",
)


@pytest.mark.parametrize("expression", TOO_MUCH)
def test_what_is_too_much_says_so(expression: str) -> None:
    with pytest.raises(ToolError):
        worked_out(expression)


@pytest.mark.parametrize("expression", NO_ARITHMETIC)
def test_what_is_no_arithmetic_is_not_run(expression: str) -> None:
    with pytest.raises(ToolError):
        worked_out(expression)


@pytest.mark.parametrize("expression", DEEP, ids=lambda text: repr(text[:20]))
def test_what_is_deep_is_worked_out_or_not(expression: str) -> None:
    try:
        assert worked_out(expression)
    except ToolError:
        pass


@pytest.mark.parametrize(
    "expression", ["1" * 1001, "(" * 10_000 + "1" + ")" * 10_000, "\ud800", 1, None, ["1"]]
)
def test_arguments_that_are_wrong_are_named(expression: object) -> None:
    with pytest.raises(ToolError, match="The arguments are wrong"):
        worked_out(expression)


def test_names_in_other_letters_are_those_names() -> None:
    assert worked_out("ｐｉ") == worked_out("pi")  # as Python reads them


WORK = """
import json, resource, sys
from app.tools.builtin.calculator import calculator
from app.tools.tool import ToolError
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
for expression in json.load(sys.stdin):
    try:
        calculator.run(calculator.check({"expression": expression}), None)
    except ToolError:
        pass
print("done")
"""


def test_all_of_it_takes_little_time_and_memory() -> None:
    """In a process that the system ends at 30 s of its own CPU, and refuses more than 1 GB."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WORK, str(10**9), "30"],
        input=json.dumps([*TOO_MUCH, *NO_ARITHMETIC, *DEEP]),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@given(st.text("0123456789.+-*/%()^e, xpiabsqrtmaound_'[]=<>!\n", max_size=60))
def test_any_text_is_a_number_or_an_error(expression: str) -> None:
    try:
        found = worked_out(expression)
    except ToolError:
        return
    assert float(found) is not None and len(found) <= MAX_DIGITS + 50


NUMBERS = st.integers(-(10**6), 10**6)


@given(NUMBERS, NUMBERS, st.sampled_from(["+", "-", "*", "/", "//", "%"]))
def test_it_reckons_as_python_does(left: int, right: int, operator: str) -> None:
    if right == 0 and operator in ("/", "//", "%"):
        return
    expected = eval(f"({left}) {operator} ({right})")
    assert worked_out(f"({left}) {operator} ({right})") == str(expected)


@given(st.integers(-(10**30), 10**30), st.integers(0, 40))
def test_powers_are_exact_as_long_as_they_are_read(base: int, power: int) -> None:
    try:
        assert worked_out(f"({base}) ** {power}") == str(base**power)
    except ToolError:
        assert len(str(abs(base**power))) > MAX_DIGITS
