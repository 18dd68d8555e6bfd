/** The WebSocket gateway. */
import { MessageBody, SubscribeMessage, WebSocketGateway, type WsResponse } from '@nestjs/websockets'
import { from, map, type Observable } from 'rxjs'
import { Database } from './database'

@WebSocketGateway({ path: '/events' })
export class EventsGateway {
  constructor(private readonly database: Database) {}

  @SubscribeMessage('events')
  onEvent(): Observable<WsResponse<number>> {
    return from([1, 2, 3]).pipe(map((item) => ({ event: 'events', data: item })))
  }

  @SubscribeMessage('open')
  isOpen(@MessageBody() question: string) {
    return { event: 'open', data: { question, open: this.database.isOpen } }
  }
}
