"""What the pure rooms are handed of the settings, in small: any figure that a test needs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class RunOptions:
    max_runs: int = 2000
    max_runs_per_user: int = 2000
    max_reply_bytes: int = 4_000_000
    max_piece_bytes: int = 16_000
    first_delta_timeout_s: float = 60
    delta_timeout_s: float = 60
    run_timeout_s: float = 600
    store_timeout_s: float = 5
    commit_gather_ms: float = 0
    orphan_run_s: float = 0
    heartbeat_s: float = 5


@dataclass(frozen=True)
class KeepingOptions:
    replay_ttl_s: float = 86400
    retention_days: float = 0


@dataclass(frozen=True)
class ChatOptions:
    system_prompt: str = ""
    context_tokens: int = 0
    max_output_tokens: int = 0


@dataclass(frozen=True)
class DailyOptions:
    daily_tokens_per_user: int = 0
    daily_cost_per_user: Decimal = Decimal(0)


@dataclass(frozen=True)
class RetryOptions:
    max_retries: int = 2
    fallback_after_s: float = 20
    retry_after_max_s: float = 30


@dataclass(frozen=True)
class RateOptions:
    rate_limit_stream: str
    rate_limit_chat: str
    rate_limit_read: str


@dataclass(frozen=True)
class LogOptions:
    log_dir: str
    log_level: str
    log_file_bytes: int
    log_files: int
