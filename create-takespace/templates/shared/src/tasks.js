/** The tasks of this service: any worker runs them, for any program that knows their names. */

export const tasks = {
  /** Stands for work that the client need not wait for: a mail, an image, a report. */
  greet: async ({ name }) => ({ text: `Hello, ${name}.`, process: process.pid }),
}
