/** Express 4 under the name it is installed by here; its types are near enough those of 5. */
declare module 'express4' {
  import express from 'express'
  export default express
}
