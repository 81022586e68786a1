// The access token: kept for this tab's session, or on this device if the user asks for that.

import { read, write } from "./storage.js";

const KEY = "tandem.token";

export function accessToken() {
  return read("sessionStorage", KEY) ?? read("localStorage", KEY);
}

export function keepToken(token, remember) {
  forgetToken();
  write(remember ? "localStorage" : "sessionStorage", KEY, token);
}

export function forgetToken() {
  write("sessionStorage", KEY, null);
  write("localStorage", KEY, null);
}

/** Return whether the token's own time of expiry is over; the server checks it in any case. */
export function hasExpired(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(part)).exp * 1000 < Date.now();
  } catch {
    return false;
  }
}
