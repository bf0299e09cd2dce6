import Hummingbird
import NIOCore

/// A writer of a response's body that closures can use, one after the other.
final class WriterBox: @unchecked Sendable {
  // Checked: one task uses it, and waits for each write.
  private var writer: any ResponseBodyWriter

  init(_ writer: any ResponseBodyWriter) { self.writer = writer }

  func write(_ buffer: ByteBuffer) async throws { try await writer.write(buffer) }
}
