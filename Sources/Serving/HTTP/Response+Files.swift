import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
  /// An answer in JSON.
  init(json value: some Encodable, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // The values of answers are texts and finite numbers.
    let bytes = (try? encoder.encode(value)) ?? Data("{}".utf8)
    self.init(file: bytes, type: "application/json", status: status, headers: headers)
  }

  /// A file as an answer.
  init(
    file: Data, type: String, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]
  ) {
    var headers = headers
    headers[.contentType] = type
    headers[.xContentTypeOptions] = "nosniff"
    self.init(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: file)))
  }

  /// A stream of server-sent events.
  ///
  /// - Parameter body: sends events; where the client has gone, sending throws.
  init(
    events body: @escaping @Sendable ((ServerSentEvent) async throws -> Void) async throws -> Void
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
