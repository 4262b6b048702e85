/** Messages to people: handed over at once, and sent beside whatever goes on. */

export type Channel = 'mail' | 'sms'

export interface Sending {
  /** Milliseconds since the epoch after which the message is worth nothing: no attempt is made from then on. */
  readonly until: number
  /** What still waits under the same name is not sent. */
  readonly replaces?: string
}

/** Nothing here waits for a server, so what is sent to whom shows in no answer's time. What waits is gone with the process. */
export interface Delivery {
  /** Whether there is anything to send by. */
  offers(channel: Channel): boolean
  /** Throws AppError `overloaded`, `shutting_down`. A plain error where mail is not offered. */
  mail(to: string, subject: string, text: string, sending: Sending): void
  /** The same for text messages; `to` as `+` and digits (E.164). */
  sms(to: string, text: string, sending: Sending): void
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>
  /** Takes nothing more, and gives what is under way a few seconds. */
  stop(): Promise<void>
}

/** What became of one attempt: `refused` is for good. What may go better later is thrown. */
export type Attempt = { readonly sent: true } | { readonly sent: false; readonly why: string }

/** The way a channel goes. */
export interface Carrier<Message> {
  /** @param id the same in each attempt at one message */
  send(message: Message, id: string, signal: AbortSignal): Promise<Attempt>
  close(): void
}
