import Files
import Foundation

/// An event of a stream that a browser's `EventSource` and OpenAI's clients read: the HTML standard, 9.2.
struct ServerSentEvent: Sendable, Equatable {
  /// The type, such as `image_generation.completed`.
  let name: String
  /// The content; each of its lines becomes a line of its own.
  let data: String

  /// Makes an event.
  init(name: String, data: String) {
    precondition(
      !name.contains(where: \.isNewline), "the event's name \(name.debugDescription) has a line end"
    )
    (self.name, self.data) = (name, data)
  }

  /// Makes an event with a value as JSON, which is one line.
  init(name: String, json value: some Encodable) throws {
    self.init(name: name, data: try JSONFile.text(value))
  }

  /// The bytes of the stream.
  var bytes: [UInt8] {
    var bytes = Array("event: \(name)\n".utf8)
    bytes.reserveCapacity(data.utf8.count + name.utf8.count + 32)
    // A CR alone is a line end too.
    let text = data.utf8
    var start = text.startIndex
    while true {
      let end = text[start...].firstIndex { $0 == 0x0A || $0 == 0x0D } ?? text.endIndex
      bytes += "data: ".utf8
      bytes += text[start..<end]
      bytes.append(0x0A)
      guard end < text.endIndex else { break }
      start = text.index(after: end)
      if text[end] == 0x0D, start < text.endIndex, text[start] == 0x0A {
        start = text.index(after: start)
      }
    }
    bytes.append(0x0A)
    return bytes
  }

  /// A line that clients ignore, so that proxies keep a silent connection open.
  static let keepAlive = Array(": keep-alive\n\n".utf8)
}
