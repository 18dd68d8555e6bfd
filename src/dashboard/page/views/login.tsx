/** The login. */
import { type CallError, learnMe, post } from '../api.js'
import { follow } from '../live.js'
import { useState } from '../preact.js'

export function Login() {
  const [failure, setFailure] = useState('')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const data = new FormData(event.currentTarget as HTMLFormElement)
    try {
      await post('login', { name: data.get('name'), password: data.get('password') })
      await learnMe()
      follow()
    } catch (error) {
      setFailure((error as CallError).message)
    }
  }
  return (
    <main class="login">
      <form onSubmit={submit}>
        <h1>takespace</h1>
        <label>
          <span>Name</span>
          <input name="name" autocomplete="username" required />
        </label>
        <label>
          <span>Password</span>
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        {failure && (
          <p class="failure" role="alert">
            {failure}
          </p>
        )}
        <button type="submit" class="main">
          Log in
        </button>
      </form>
    </main>
  )
}
