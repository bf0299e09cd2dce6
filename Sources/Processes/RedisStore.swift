import CHiredis
import Foundation
import PJRT
import Synchronization

/// A store in a Redis server.
///
/// `@unchecked Sendable`: the connection is only used under its lock.
public final class RedisStore: KeyValueStore, @unchecked Sendable {
  private let address: String
  private let prefix: String
  private let lock = Mutex(())
  private let context: UnsafeMutablePointer<redisContext>

  /// Connects to a server.
  ///
  /// - Parameter prefix: the prefix of every key, so that runs can share a server.
  /// - Throws: `ProcessesError.storeUnreachable`, `wrongStore` for a port out of range.
  public init(host: String, port: Int, prefix: String) throws {
    address = "redis://\(host):\(port)"
    self.prefix = prefix
    let patience = timeval(tv_sec: 10, tv_usec: 0)
    guard let number = Int32(exactly: port), (1...65535).contains(number) else {
      throw ProcessesError.wrongStore(
        address, reason: "the port is \(port); it must be from 1 to 65535")
    }
    guard let context = redisConnectWithTimeout(host, number, patience) else {
      throw ProcessesError.storeUnreachable(store: address, reason: "out of memory")
    }
    self.context = context
    guard context.pointee.err == 0 else { throw failure() }
    redisSetTimeout(context, patience)
  }

  deinit { redisFree(context) }

  /// See `KeyValueStore`.
  public func put(_ key: String, _ value: [UInt8]) throws {
    // Values expire after a week.
    _ = try command([Array("SET".utf8), full(key), value, Array("EX".utf8), Array("604800".utf8)])
  }

  /// See `KeyValueStore`.
  public func get(_ key: String) throws -> [UInt8]? {
    try command([Array("GET".utf8), full(key)])
  }

  private func full(_ key: String) -> [UInt8] { Array("\(prefix)/\(key)".utf8) }

  private func command(_ words: [[UInt8]]) throws -> [UInt8]? {
    try lock.withLock { _ in
      let bytes = words.joined().map { CChar(bitPattern: $0) }
      let reply = bytes.withUnsafeBufferPointer { bytes in
        var (starts, start): ([UnsafePointer<CChar>?], Int) = ([], 0)
        for word in words {
          starts.append(bytes.baseAddress.map { $0 + start })
          start += word.count
        }
        return starts.withUnsafeMutableBufferPointer { starts in
          CHiredis_Command(
            context, Int32(words.count), starts.baseAddress, words.map(\.count))
        }
      }
      guard let reply else { throw failure() }
      defer { freeReplyObject(reply) }
      let text = UnsafeRawBufferPointer(start: reply.pointee.str, count: Int(reply.pointee.len))
      switch reply.pointee.type {
      case REDIS_REPLY_NIL: return nil
      case REDIS_REPLY_ERROR:
        throw ProcessesError.storeUnreachable(
          store: address, reason: String(decoding: text, as: UTF8.self))
      default: return [UInt8](text)
      }
    }
  }

  private func failure() -> ProcessesError {
    let reason = withUnsafeBytes(of: context.pointee.errstr) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return .storeUnreachable(store: address, reason: reason)
  }
}
