// What every script prints: one JSON value a line.
export const print = (value) => console.log(JSON.stringify(value));
