"""The tool `calculator`: arithmetic, without running code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from app.tools.tool import ToolError, tool

MAX_DIGITS = 1000
MAX_BITS = 7 * MAX_DIGITS  # more than a result of so many digits may seem to have at first
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
} | {"abs": abs, "min": min, "max": max}
TOO_LARGE = 10**MAX_DIGITS
TOO_LONG = "The result is too long."
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
        found = _value(tree.body)
        if isinstance(found, float) and not math.isfinite(found):
            raise OverflowError
        return str(found)
    except ToolError:
        raise
    except OverflowError:
        raise ToolError("A number in it is too large.") from None
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
    if isinstance(left, int) and isinstance(right, int) and _bits(op, left, right) > MAX_BITS:
        raise ToolError(TOO_LONG)
    found = _TWO[type(op)](left, right)
    if isinstance(found, complex):
        raise ToolError("The result is no real number.")
    if isinstance(found, int) and abs(found) >= TOO_LARGE:
        raise ToolError(TOO_LONG)
    return found


def _bits(op: ast.operator, left: int, right: int) -> int:
    """Return how long the result may be, at most."""
    if isinstance(op, ast.Pow):
        return left.bit_length() * right if abs(left) > 1 and right > 0 else 0
    if isinstance(op, ast.Mult):
        return left.bit_length() + right.bit_length()
    return max(left.bit_length(), right.bit_length()) + 1


def _round(number: int | float, digits: int = 0) -> int | float:
    # Python works out 10 ** -digits first, however long that is.
    if abs(digits) > MAX_DIGITS:
        raise ToolError(f"Numbers are rounded to {MAX_DIGITS} digits at most.")
    return round(number, digits) if digits else round(number)


_FUNCTIONS["round"] = _round
