export default function Page() {
  return <h1>Hello from a static page</h1>
}
