import Foundation
import Synchronization

/// Pictures that are given by address rather than in the answer, for an hour.
final class PictureStore: Sendable {
  /// A picture as a file.
  struct File: Sendable {
    let bytes: Data
    let type: String
    let made: ContinuousClock.Instant
  }

  private struct State {
    var files: [String: File] = [:]
    /// The names, oldest first.
    var order: [String] = []
    var bytes = 0
  }

  private let state = Mutex(State())
  private static let lifetime = Duration.seconds(3600)
  /// The most bytes that are kept.
  private static let most = 256 << 20

  /// Keeps a picture.
  ///
  /// - Returns: its name, which cannot be guessed.
  func add(_ bytes: Data, type: String) -> String {
    let name = (0..<2).map { _ in
      let part = String(UInt64.random(in: .min ... .max), radix: 16)
      return String(repeating: "0", count: 16 - part.count) + part
    }.joined()
    state.withLock { state in
      state.files[name] = File(bytes: bytes, type: type, made: .now)
      state.order.append(name)
      state.bytes += bytes.count
      while let oldest = state.order.first, let file = state.files[oldest],
        state.bytes > Self.most || ContinuousClock.now - file.made > Self.lifetime,
        oldest != name
      {
        state.bytes -= file.bytes.count
        state.files[oldest] = nil
        state.order.removeFirst()
      }
    }
    return name
  }

  /// A picture by its name; nil where there is none any more.
  subscript(name: String) -> File? {
    state.withLock { state in
      guard let file = state.files[name], ContinuousClock.now - file.made <= Self.lifetime else {
        return nil
      }
      return file
    }
  }
}
