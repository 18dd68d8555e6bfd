/** A { fetch } app without a framework. */

export const fetchApp = {
  async fetch(request: Request): Promise<Response> {
    const { method, headers, url } = request
    switch (new URL(url).pathname) {
      case '/echo':
        return Response.json({ method, url, agent: headers.get('user-agent'), cookie: headers.get('cookie') })
      case '/body':
        return new Response(await request.arrayBuffer(), { headers: { 'X-Method': method } })
      case '/cookies': {
        const response = new Response('set')
        response.headers.append('set-cookie', 'a=1')
        response.headers.append('set-cookie', 'b=2, still b')
        return response
      }
      case '/stream':
        return new Response(new Blob(['st', 'ream']).stream(), { status: 202, statusText: 'HeldRequest On' })
      case '/none':
        return new Response(null, { status: 204 })
      default:
        return new Response('nowhere', { status: 404 })
    }
  },
}
