// A FakeTandem and a client with small times, for one test.

import { TandemClient } from "../../../static/js/tandem-client.js";
import { FakeTandem } from "./fake-tandem.js";

export const SOON = { firstMs: 1, mostMs: 2, times: 6 };

/** Return { fake, client }; both are closed after the test. */
export async function setUp(t, options = {}) {
  const fake = await new FakeTandem().start();
  const client = new TandemClient({ baseUrl: fake.url, chunkTimeout: 5000, retry: SOON, ...options });
  t.after(async () => {
    client.close();
    await fake.stop();
  });
  return { fake, client };
}

/** Return all events of a reply, and the error that ended them. */
export async function eventsOf(reply) {
  const events = [];
  try {
    for await (const event of reply) events.push(event);
  } catch (error) {
    return { events, error };
  }
  return { events, error: null };
}

export const textOf = (events) => events.filter((event) => event.type === "text").map((event) => event.text).join("");
export const typesOf = (events) => events.map((event) => event.type);
