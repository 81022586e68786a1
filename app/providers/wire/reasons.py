"""Why a reply ended, in the words of all servers, and in ours."""

from __future__ import annotations

from app.core.run_errors import UpstreamError

_OURS = {
    "stop": "stop eos eos_token end end_turn stop_sequence complete completed done",
    "length": (
        "length max_length max_tokens max_output_tokens max_new_tokens max_completion_tokens "
        "token_limit model_length context_length model_context_window_exceeded "
        "context_length_exceeded"
    ),
    "content_filter": (
        "content_filter content_filtered content_filter_error sensitive safety recitation "
        "blocklist prohibited_content spii language image_safety image_prohibited_content "
        "image_recitation model_armor guardrail_intervened guardrail moderation "
        "content_policy_violation refusal filtered risk_control"
    ),
    "tool_calls": "tool_calls tool_call tool_use function_call",
    # It did not end by itself.
    "": (
        "error abort aborted cancel cancelled canceled failed failure fail timeout timed_out "
        "network_error server_error internal_error upstream_error model_error "
        "insufficient_system_resource insufficient_resource resource_exhausted overloaded "
        "engine_overloaded malformed_function_call malformed_response unexpected_tool_call "
        "too_many_tool_calls missing_thought_signature no_image image_other other unknown "
        "interrupted preempted"
    ),
}
_KNOWN = {theirs: ours for ours, words in _OURS.items() for theirs in words.split()}
_NONE = frozenset({"", "null", "none", "nil", "undefined", "finish_reason_unspecified"})


def is_reason(written: object) -> bool:
    """Whether a finish reason says anything at all."""
    return bool(written) and str(written).strip().lower() not in _NONE


def reason_of(written: object, has_text: bool) -> str:
    """Return our finish reason. Raises UpstreamError for a failure, and for a word nobody knows
    that came without any text."""
    ours = _KNOWN.get(str(written).strip().lower().replace("-", "_").replace(" ", "_"))
    if ours is None and has_text:
        ours = "stop"
    if not ours:
        raise UpstreamError()
    return ours
