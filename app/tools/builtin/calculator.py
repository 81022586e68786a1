"""The tool `calculator`: arithmetic, without running code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from app.tools.tool import ToolError, tool

MAX_DIGITS = 1000  # of a result
MAX_LENGTH = 1000
_TWO: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_ONE: dict[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(math, name)
    for name in "sqrt sin cos tan asin acos atan atan2 log log2 log10 exp floor ceil".split()
} | {"abs": abs, "min": min, "max": max, "round": round}
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}
Expression = Annotated[
    str,
    Field(description="Like (3 + 4) * 2 ** 0.5, sqrt(2), log(100, 10), pi.", max_length=MAX_LENGTH),
]


@tool(idempotent=True)
def calculator(expression: Expression) -> str:
    """Work out an arithmetic expression exactly as written. Use it for any calculation."""
    try:
        tree = ast.parse(expression.replace("^", "**").strip(), mode="eval")
        return str(_value(tree.body))
    except ToolError:
        raise
    except ZeroDivisionError:
        raise ToolError("That divides by zero.") from None
    except (ArithmeticError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError):
        raise ToolError("That is no expression that can be worked out.") from None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _ONE:
            return _ONE[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO:
            return _applied(op, _value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(_value, args))
    raise ToolError("Only numbers, + - * / // % **, brackets, and sqrt, log, sin and the like.")


def _applied(op: ast.operator, left: Any, right: Any) -> Any:
    """Return the result, unless it would be longer than anybody reads: powers grow fast."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * max(right, 1) if isinstance(op, ast.Pow) else 0
        if max(bits, left.bit_length() + right.bit_length()) > MAX_DIGITS * 4:
            raise ToolError("The result is too long.")
    found = _TWO[type(op)](left, right)
    if isinstance(found, complex):
        raise ToolError("The result is no real number.")
    return found
