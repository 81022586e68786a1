// What the server answers, as it says it (docs/api.md). Nothing runs here, and no page loads it.

/**
 * @typedef {"stop" | "length" | "content_filter" | "tool_calls" | "stopped" | "error"
 *   | "interrupted" | "requires_action"} FinishReason
 */

/**
 * @typedef {object} Usage
 * @property {number} input_tokens
 * @property {number} output_tokens
 * @property {"reported" | "estimated"} source
 */

/**
 * @typedef {object} Cost
 * @property {string} amount
 * @property {string} currency
 * @property {boolean} estimated
 */

/**
 * What a stop answers.
 * @typedef {object} Receipt
 * @property {string} run_id
 * @property {string} session_id
 * @property {"running" | "completed" | "stopped" | "failed" | "interrupted"} status
 * @property {number} seq
 * @property {boolean | null} upstream_closed
 * @property {number} stopped_in_ms
 * @property {Usage | null} usage
 */

/**
 * Why a run failed.
 * @typedef {object} RunError
 * @property {string} code
 * @property {string} message
 * @property {string} error_id
 * @property {boolean} retryable
 */

/**
 * @typedef {object} RunRecord
 * @property {string} run_id
 * @property {string} session_id
 * @property {string} message_id
 * @property {"queued" | "running" | "completed" | "stopped" | "failed" | "interrupted"} status
 * @property {string} provider
 * @property {string} model
 * @property {number} seq
 * @property {FinishReason | null} finish_reason
 * @property {RunError | null} error
 * @property {Usage | null} usage
 * @property {number | null} duration Seconds.
 * @property {number | null} ttft_ms
 * @property {string} created_at
 * @property {string | null} ended_at
 */

/**
 * The reply under way; of one that waits, for what.
 * @typedef {object} ActiveRun
 * @property {string} run_id
 * @property {number} seq
 * @property {string} status
 * @property {PendingAction[]} pending
 */

/**
 * @typedef {object} Session
 * @property {string} session_id
 * @property {number} messages
 * @property {string} timestamp
 * @property {string} title
 * @property {string | null} system The session's own system prompt.
 * @property {ActiveRun | null} active_run
 */

/** @typedef {{ title?: string, system?: string }} SessionChange */

/**
 * What an upload is to the server.
 * @typedef {object} Attachment
 * @property {string} id
 * @property {string} name
 * @property {string} media_type What its bytes are, whatever they were called.
 * @property {number} bytes
 * @property {string} sha256
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [pages]
 * @property {string} created_at
 */

/**
 * A picture or a file of a message, with what is known of it.
 * @typedef {object} FilePart
 * @property {"image" | "file"} type
 * @property {string} [attachment_id] Not of a picture that is named by its address.
 * @property {string} [url]
 * @property {string} [name]
 * @property {string} [media_type]
 * @property {number} [bytes]
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [pages]
 */

/**
 * @typedef {object} Message
 * @property {string} id
 * @property {string | null} parent_id
 * @property {"user" | "assistant" | "system"} role
 * @property {string} content
 * @property {Record<string, unknown>[]} [parts] All of it, where it has more than text.
 * @property {string} status
 * @property {string | null} run_id
 * @property {Usage | null} usage
 * @property {string} timestamp
 * @property {string[]} siblings The messages that hang on the same parent, itself among them,
 *   oldest first.
 */

/**
 * @typedef {object} ListOptions
 * @property {number} [limit]
 * @property {string} [before] The `next` of the page before.
 * @property {string} [search] Only those whose title or messages have this text.
 * @property {AbortSignal} [signal] Aborting it gives up the search, at the server too.
 */

/**
 * A conversation as a file.
 * @typedef {object} Exported
 * @property {string} name
 * @property {string | null} type
 * @property {string} text
 */

/**
 * @typedef {object} ModelRow
 * @property {string} name
 * @property {string | null} model
 * @property {string[]} models Its own first, then those that its server lists.
 * @property {boolean} ready
 * @property {string | null} missing The setting that it lacks.
 */

/**
 * @typedef {object} Models
 * @property {string} default
 * @property {ModelRow[]} providers
 */

/**
 * @typedef {object} Used
 * @property {number} runs
 * @property {number} input_tokens
 * @property {number} output_tokens
 * @property {"reported" | "estimated" | null} source
 * @property {Cost | null} cost
 */

/** @typedef {Used & { provider: string, model: string }} ModelUsed */

/**
 * @typedef {object} DayUsed
 * @property {string} day
 * @property {Used} total
 * @property {ModelUsed[]} models
 */

/**
 * @typedef {object} UsageReport
 * @property {string} [user]
 * @property {string} [session_id]
 * @property {Used} total
 * @property {ModelUsed[]} models
 * @property {DayUsed[]} [days]
 */

/**
 * @typedef {"calling" | "ready" | "invalid" | "awaiting_approval" | "running" | "done" | "failed"
 *   | "denied" | "stopped" | "unknown"} ToolState
 */

/** @typedef {{ url: string, title?: string }} Source */

/**
 * What a run waits for. `question` has a message, and the schema of its answer.
 * @typedef {object} PendingAction
 * @property {number} n
 * @property {string} call_id
 * @property {string} name
 * @property {Record<string, unknown>} input
 * @property {"result" | "approval" | "question"} kind
 * @property {number} expires_at Seconds since the epoch.
 * @property {string} [approval_id]
 * @property {string} [message]
 * @property {Record<string, unknown>} [schema]
 */

/**
 * How a run is after an answer; a reply that goes on is followed from `seq` on. `answers` are those
 * that count: the first that came.
 * @typedef {object} AnswersTaken
 * @property {string} run_id
 * @property {string} session_id
 * @property {string} status
 * @property {number} seq
 * @property {Record<string, unknown>[]} answers
 */

/**
 * A tool that the server runs.
 * @typedef {object} ToolRecord
 * @property {string} name
 * @property {string} description
 * @property {Record<string, unknown>} parameters A JSON schema.
 * @property {"never" | "always" | "sometimes"} approval
 * @property {string} source
 */

/** @typedef {{ call_id: string, output?: unknown, error?: string }} ToolResult */

/** @typedef {{ approved: boolean, reason?: string, answer?: unknown }} Approval */

/**
 * The routes of tools, and of what replies wait for. Each call throws TandemError.
 * @typedef {object} Tools
 * @property {() => Promise<ToolRecord[]>} list
 * @property {(runId: string, results: ToolResult[]) => Promise<AnswersTaken>} addResults
 * @property {(runId: string, id: string, answer: Approval) => Promise<AnswersTaken>} approve
 */

/**
 * The routes of conversations. Each call throws TandemError.
 * @typedef {object} Sessions
 * @property {(options?: ListOptions) => Promise<Session[]>} list
 * @property {(options?: ListOptions) => Promise<{ sessions: Session[], next: string | null }>} page
 *   One page of the list; `next` is the `before` of the next one.
 * @property {(sessionId?: string, options?: { system?: string }) => Promise<Session>} create
 * @property {(sessionId: string) => Promise<Session>} get
 * @property {(sessionId: string) => Promise<Message[]>} messages
 * @property {(sessionId: string, change: SessionChange) => Promise<Session>} update
 *   What is not given stays.
 * @property {(sessionId: string, messageId: string) => Promise<Message[]>} branch
 *   Use the branch that a message is on; its messages.
 * @property {(sessionId: string, format?: "json" | "markdown") => Promise<Exported>} export
 * @property {(sessionId: string) => Promise<{ success: boolean, message: string }>} delete
 * @property {() => Promise<{ success: boolean, deleted: number }>} deleteAll
 */

export {};
