import Hummingbird
import NIOCore

extension Request {
  /// The parameters of a JSON body.
  ///
  /// - Throws: `APIError` for a body that is too large, late or not JSON.
  func json(limits: ServerLimits) async throws -> RequestParameters {
    if let type = headers[.contentType], !type.lowercased().hasPrefix("application/json") {
      throw APIError.wrongContentType(type, expected: "application/json")
    }
    let bytes = try await bytes(atMost: limits.jsonBytes, seconds: limits.bodySeconds)
    return try bytes.withUnsafeReadableBytes { try RequestParameters(json: $0) }
  }

  /// A form, with its files.
  ///
  /// - Throws: `APIError` for a body that is too large or late, and `MultipartError`.
  func form(limits: ServerLimits) async throws -> RequestForm {
    let bytes = try await bytes(atMost: limits.uploadBytes, seconds: limits.bodySeconds)
    return try RequestForm(bytes, contentType: headers[.contentType])
  }

  /// The body.
  ///
  /// - Throws: `APIError` for one that is too large, or not whole after some seconds.
  private func bytes(atMost limit: Int, seconds: Double) async throws -> ByteBuffer {
    if let length = headers[.contentLength].flatMap({ Int($0) }), length > limit {
      throw APIError.bodyTooLarge(limit: limit)
    }
    let body = body
    return try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
      group.addTask {
        var bytes = ByteBuffer()
        for try await part in body {
          guard bytes.readableBytes + part.readableBytes <= limit else {
            throw APIError.bodyTooLarge(limit: limit)
          }
          bytes.writeImmutableBuffer(part)
        }
        return bytes
      }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        throw APIError.tooSlow(seconds: Int(seconds))
      }
      defer { group.cancelAll() }
      return try await group.next()!
    }
  }
}

extension ServerContext {
  /// Whom a request is for: its address.
  func client(_ request: Request) -> String { address }
}
