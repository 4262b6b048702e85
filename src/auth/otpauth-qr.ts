/** QR codes of otpauth URIs: for a page, for a mail or an app, for a terminal. */
import QRCode from 'qrcode'

export const QR_FORMS = ['svg', 'png', 'terminal'] as const
export type QrForm = (typeof QR_FORMS)[number]

/** SVG markup, PNG as a `data:` URL, or lines of block characters. */
export function qrCode(text: string, form: QrForm): Promise<string> {
  // Room around it is part of the code: without four modules of it, some cameras find none.
  const options = { errorCorrectionLevel: 'M', margin: 4 } as const
  switch (form) {
    case 'svg':
      return QRCode.toString(text, { ...options, type: 'svg' })
    case 'png':
      return QRCode.toDataURL(text, { ...options, type: 'image/png', scale: 6 })
    case 'terminal':
      return QRCode.toString(text, { ...options, type: 'terminal', small: true })
  }
}
