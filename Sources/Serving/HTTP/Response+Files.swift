import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
  /// An answer in JSON.
  ///
  /// - Throws: the error of encoding.
  init(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    self.init(file: try encoder.encode(value), type: "application/json")
  }

  /// A file as an answer.
  init(file: Data, type: String) {
    let headers: HTTPFields = [.contentType: type, .xContentTypeOptions: "nosniff"]
    self.init(status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file)))
  }

  /// A stream of server-sent events.
  ///
  /// - Parameter body: sends events; where the client has gone, sending throws.
  init(
    events body:
      @escaping @Sendable (_ send: @escaping @Sendable (ServerSentEvent) async throws -> Void)
      async throws -> Void
  ) {
    let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-store"]
    self.init(
      status: .ok, headers: headers,
      body: ResponseBody { writer in
        // The writer is used by one task, after each other.
        let box = WriterBox(writer)
        try await body { try await box.write(ByteBuffer(bytes: $0.bytes)) }
        try await writer.finish(nil)
      })
  }
}
