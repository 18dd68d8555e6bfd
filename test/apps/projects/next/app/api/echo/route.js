/** A route handler that answers with what it was sent, and one that streams. */
export async function POST(request) {
  return Response.json({ sent: await request.json(), query: new URL(request.url).search }, { status: 201 })
}

export async function GET() {
  const encoder = new TextEncoder()
  const stream = new ReadableStream({
    async start(controller) {
      for (const word of ['one', 'two', 'three']) {
        controller.enqueue(encoder.encode(`data: ${word}\n\n`))
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
      controller.close()
    },
  })
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
}
