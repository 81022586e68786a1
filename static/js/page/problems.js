// What went wrong, told where a person sees it.

export class Problems {
  #store;
  #onError; // (error) => true if it was dealt with elsewhere
  #say;

  constructor(store, { onError, say }) {
    this.#store = store;
    this.#onError = onError;
    this.#say = say;
  }

  /** Whether an error is dealt with elsewhere. */
  isTaken(error) {
    return this.#onError(error);
  }

  fail(error, words = (why) => why) {
    if (!this.#onError(error)) this.tell(words(error.message), error.errorId);
  }

  tell(text, errorId) {
    this.#say(text);
    this.#store.set({ problem: { text, errorId } });
  }
}

/** An error as a message has it. */
export const errorOf = ({ message: text, errorId, code, upstream }) => ({ text, errorId, code, upstream });

/** Why an answer was not taken, in words. */
export function refusalOf({ message, fields }) {
  const wrong = Object.entries(fields ?? {}).map(([name, why]) => `${name.replace(/^answer\./, "")}: ${why}.`);
  return wrong.length ? wrong.join(" ") : message;
}
