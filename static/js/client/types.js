// The client's public types: options, events, replies. Nothing runs here, and no page loads it.
// docs/client.md says what each does; what the server answers is in records.js.

/** @import { Block, ToolCall, ToolEvent } from "./blocks.js" */
/** @import { Approval, Cost, FilePart, FinishReason, PendingAction } from "./records.js" */
/** @import { Receipt, ToolResult, Usage } from "./records.js" */
/** @import { Attachable, FileEvent, UploadEvent } from "./uploads.js" */

/** @typedef {"sse" | "socket"} TransportName */

/**
 * How long to wait between tries: before try `n` a random time of up to `firstMs * 2 ** n`.
 * @typedef {object} Retry
 * @property {number} [firstMs]
 * @property {number} [mostMs] The longest wait.
 * @property {number} [times] How many tries without anything new.
 */

/**
 * @typedef {object} DeliveryOptions
 * @property {TransportName} [transport]
 * @property {boolean} [enableStreaming] False asks for whole answers.
 * @property {number} [streamingTimeout] Milliseconds till the first piece.
 * @property {number} [chunkTimeout] Milliseconds without a byte.
 * @property {boolean} [heartbeatsCount] False: once the text has begun, `chunkTimeout` counts the
 *   silence of the model too, which heartbeats do not end.
 * @property {number} [wholeTimeout] Milliseconds till a whole answer.
 * @property {boolean} [fallbackOnError] Whether the other transport and the whole answer are tried.
 * @property {Retry} [retry]
 */

/**
 * A socket of Socket.IO's client: what is used of it.
 * @typedef {object} Socket
 * @property {boolean} connected
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 * @property {(event: string, ...args: any[]) => unknown} emit
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(event: string, listener?: (...args: any[]) => void) => unknown} off
 */

/**
 * The function `io` of Socket.IO's client.
 * @typedef {(...args: any[]) => Socket} Io
 */

/**
 * @typedef {object} ConnectionOptions
 * @property {string} [baseUrl] Where the server is; by default the page's origin.
 * @property {string} [token] The access token.
 * @property {() => string | null | undefined | Promise<string | null | undefined>} [getToken]
 *   Asked before each request and each connect.
 * @property {Io} [io] Needed for Socket.IO outside of a page.
 * @property {typeof globalThis.fetch} [fetch]
 * @property {boolean} [debug] Whether console.debug is told what is sent and tried again, without
 *   what is said.
 */

/**
 * @typedef {object} SharingOptions
 * @property {boolean} [share] Whether all tabs of this browser have one connection for what is
 *   streamed over SSE.
 */

/** @typedef {DeliveryOptions & ConnectionOptions & SharingOptions} ClientOptions */

/**
 * @typedef {object} RunOptions
 * @property {string} [sessionId]
 * @property {boolean} [reasoning] Whether a thinking model's thoughts come, as status events.
 * @property {AbortSignal} [signal] Aborting it stops the run.
 */

/** @typedef {DeliveryOptions & RunOptions} ContinueOptions */

/**
 * @typedef {object} Position
 * @property {number} [after] The last entry seen; 0, the default, is the start.
 */

/** @typedef {ContinueOptions & Position} FollowOptions */

/**
 * @typedef {object} MessageOptions
 * @property {string} [provider]
 * @property {string} [model]
 * @property {string} [system]
 * @property {number} [temperature]
 * @property {number} [maxTokens]
 * @property {string | null} [parentId] The message that this one is written under; null for the
 *   first. By default the last of the branch in use, whatever that is by then.
 * @property {boolean} [sessionMustExist] Whether a session that is not there is an error,
 *   `session_gone`, and not made.
 * @property {string} [edit] The id of a user's message of the session: this one stands beside it.
 * @property {string} [regenerate] The id of a reply of the session: another one is made beside it.
 *   The message given does not count.
 * @property {(string | Record<string, unknown>)[]} [tools] Names of the server's tools, and
 *   definitions of the client's own, in OpenAI's form.
 * @property {readonly Attachable[]} [attachments] Pictures and files, at most 32; what is not
 *   uploaded yet is, before the message is sent.
 * @property {string} [idempotencyKey] By default a random one.
 */

/** @typedef {ContinueOptions & MessageOptions} SendOptions */

/** @typedef {Pick<DeliveryOptions, "chunkTimeout" | "retry">} WatchOptions */

/**
 * A reply that has ended.
 * @typedef {object} Whole
 * @property {string} text
 * @property {string} runId
 * @property {string} sessionId
 * @property {FinishReason} finishReason
 * @property {Usage | null} usage
 * @property {Cost | null} cost
 * @property {string | null} provider
 * @property {string | null} model
 * @property {number | null} duration Seconds.
 * @property {number | null} ttftMs Milliseconds till the first piece.
 * @property {string[]} leftOut Names of files that found no room in the model's context, or not
 *   whole.
 * @property {number | null} seq
 * @property {PendingAction[]} [requiresAction] What the run waits for, with the finish reason
 *   `requires_action`: it goes on once that is answered.
 */

/**
 * The run is stored at the server.
 * @typedef {object} StartEvent
 * @property {"start"} type
 * @property {string} runId
 * @property {string | null} sessionId
 */

/**
 * @typedef {object} TextEvent
 * @property {"text"} type
 * @property {string} text
 * @property {number | null} seq Null where the answer came whole.
 */

/**
 * The run is alive.
 * @typedef {object} StatusEvent
 * @property {"status"} type
 * @property {string} status
 * @property {number | null} ageS
 * @property {string} [reasoning] What a thinking model thinks, where it was asked for.
 */

/**
 * The run is taken up again after a cut.
 * @typedef {object} ResumeEvent
 * @property {"resume"} type
 * @property {number} attempt
 * @property {TransportName} transport
 * @property {string | null} reason The code of the error before it.
 */

/**
 * The message is sent again, with the same key.
 * @typedef {object} RetryEvent
 * @property {"retry"} type
 * @property {number} attempt
 * @property {TransportName | "whole"} transport
 * @property {string | null} reason The code of the error before it.
 */

/**
 * An event could not be read.
 * @typedef {object} WarningEvent
 * @property {"warning"} type
 * @property {string} message
 * @property {string} data
 */

/** @typedef {{ type: "end" } & Whole} EndEvent */

/**
 * @typedef {UploadEvent | StartEvent | TextEvent | ToolEvent | FileEvent | StatusEvent
 *   | ResumeEvent | RetryEvent | WarningEvent | EndEvent} ReplyEvent
 */

/**
 * What is known of a reply so far.
 * @typedef {object} ReplyState
 * @property {string | null} runId Null till the server has answered.
 * @property {string | null} sessionId
 * @property {string} text The text so far.
 * @property {number} seq The last entry that was taken.
 * @property {boolean} ended
 * @property {Promise<Whole>} whole Rejects with the TandemError of a reply that fails.
 */

/**
 * @typedef {object} ReplyActions
 * @property {() => Promise<Receipt>} stop Stop the run; return the receipt, the same one each time.
 *   Rejects if no run was started.
 * @property {() => void} leave Close the connection; the run goes on.
 */

/**
 * A reply. Any number of loops may iterate over its events; each gets all of them.
 * @typedef {Readonly<ReplyState> & ReplyActions & AsyncIterable<ReplyEvent>} Reply
 */

/**
 * A message as the hook shows it.
 * @typedef {object} ChatMessage
 * @property {string} id
 * @property {"user" | "assistant" | "system"} role
 * @property {string} content
 * @property {string} status
 * @property {string} timestamp
 * @property {readonly ToolCall[]} calls What it has called, in order.
 * @property {readonly FilePart[]} files Its pictures and files, in order.
 * @property {readonly Block[]} blocks Its texts, calls and files, in order.
 * @property {string | null} runId
 */

/**
 * A session's id, or the number of a conversation as `POST /chat` counts them, which stays
 * a number.
 * @typedef {string | number} ConversationId
 */

/**
 * What is on show of a conversation.
 * @typedef {object} ChatState
 * @property {readonly ChatMessage[]} messages
 * @property {boolean} isLoading A reply is awaited, streamed or whole.
 * @property {boolean} isStreaming
 * @property {ChatMessage | undefined} streamingMessage The reply so far.
 * @property {string | null} error The message of the last error.
 */

/**
 * The promise resolves to the conversation's id, or rejects with the TandemError.
 * @template {ConversationId} Id
 * @typedef {(prompt: string, model?: string, provider?: string,
 *   options?: Pick<MessageOptions, "tools" | "attachments">) => Promise<Id>} SendPrompt
 */

/**
 * @template {ConversationId} Id
 * @typedef {object} ChatActions
 * @property {SendPrompt<Id>} sendMessage Send; the answer comes whole.
 * @property {SendPrompt<Id>} sendStreamingMessage Send; the answer is streamed.
 * @property {(callId: string, result: Omit<ToolResult, "call_id">) => Promise<void>} addToolResult
 *   Bring the result of a call that waits for it. Rejects with the TandemError.
 * @property {(approvalId: string, answer: Approval) => Promise<void>} approve
 *   Allow a call that waits for that, deny it, or answer its question. Rejects likewise.
 * @property {() => void} clearMessages Show no messages. The server keeps them.
 * @property {() => void} clearError
 */

/**
 * What the hook returns.
 * @template {ConversationId} [Id=ConversationId]
 * @typedef {ChatState & ChatActions<Id>} Chat
 */

/**
 * The hook.
 * @typedef {{
 *   (conversationId: number): Chat<number>,
 *   (conversationId?: string | null): Chat<string>,
 *   (conversationId?: ConversationId | null): Chat,
 * }} UseChat
 */

/**
 * The hooks of React that are used. React's own types need not be installed.
 * @typedef {object} ReactHooks
 * @property {(...args: any[]) => any} useState
 * @property {(...args: any[]) => any} useEffect
 * @property {(...args: any[]) => any} useRef
 * @property {(...args: any[]) => any} useCallback
 */

export {};
