// Tasks of the service mail.
export const tasks = { send: ({ to }) => `sent to ${to}`, check: (name) => name.length }
