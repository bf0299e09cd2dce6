import CPJRT
import Foundation

/// A key-value store shared by all processes of a run, by which the plugin's clients find each
/// other.
public protocol KeyValueStore: Sendable {
  /// Sets a key's value.
  func put(_ key: String, _ value: [UInt8]) throws

  /// A key's value, nil where it has none.
  func get(_ key: String) throws -> [UInt8]?
}

extension KeyValueStore {
  /// Waits for a key's value.
  ///
  /// - Returns: nil where it has none within the given seconds.
  public func wait(for key: String, seconds: Double) throws -> [UInt8]? {
    let end = ContinuousClock.now + .seconds(seconds)
    var pause = 0.002
    while true {
      if let value = try get(key) { return value }
      guard ContinuousClock.now < end else { return nil }
      Thread.sleep(forTimeInterval: pause)
      pause = min(0.1, pause * 1.5)
    }
  }
}

/// The plugin's callbacks to a store.
final class StoreCallbacks: Sendable {
  private let store: any KeyValueStore

  init(_ store: any KeyValueStore) { self.store = store }

  /// Sets the callbacks; the plugin may call them as long as this object lives.
  func install(in arguments: inout PJRT_Client_Create_Args) {
    let own = Unmanaged.passUnretained(self).toOpaque()
    arguments.kv_get_user_arg = own
    arguments.kv_put_user_arg = own
    arguments.kv_try_get_user_arg = own
    arguments.kv_get_callback = { arguments in
      guard let arguments else { return nil }
      let key = PJRT.text(arguments.pointee.key, arguments.pointee.key_size)
      let seconds = Double(arguments.pointee.timeout_in_ms) / 1000
      return StoreCallbacks.answer(arguments.pointee.user_arg, arguments.pointee.callback_error) {
        guard let value = try $0.wait(for: key, seconds: seconds) else {
          throw Failure(
            code: .deadlineExceeded,
            message: "no process has set \(key) within \(seconds) seconds")
        }
        (arguments.pointee.value, arguments.pointee.value_size) = try StoreCallbacks.copy(value)
        arguments.pointee.value_deleter = { free($0) }
      }
    }
    arguments.kv_try_get_callback = { arguments in
      guard let arguments else { return nil }
      let key = PJRT.text(arguments.pointee.key, arguments.pointee.key_size)
      return StoreCallbacks.answer(arguments.pointee.user_arg, arguments.pointee.callback_error) {
        guard let value = try $0.get(key) else {
          throw Failure(code: .notFound, message: "no process has set \(key)")
        }
        (arguments.pointee.value, arguments.pointee.value_size) = try StoreCallbacks.copy(value)
        arguments.pointee.value_deleter = { free($0) }
      }
    }
    arguments.kv_put_callback = { arguments in
      guard let arguments else { return nil }
      let key = PJRT.text(arguments.pointee.key, arguments.pointee.key_size)
      let value = [UInt8](
        UnsafeRawBufferPointer(
          start: arguments.pointee.value, count: arguments.pointee.value_size))
      return StoreCallbacks.answer(arguments.pointee.user_arg, arguments.pointee.callback_error) {
        try $0.put(key, value)
      }
    }
  }

  /// A failure that is reported to the plugin.
  private struct Failure: Error {
    let code: PJRTError.Code
    let message: String
  }

  /// A copy of a value that the plugin frees.
  private static func copy(_ value: [UInt8]) throws -> (UnsafeMutablePointer<CChar>, Int) {
    guard let memory = malloc(max(1, value.count)) else {
      throw Failure(code: .resourceExhausted, message: "out of memory")
    }
    value.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { memory.copyMemory(from: start, byteCount: bytes.count) }
    }
    return (memory.assumingMemoryBound(to: CChar.self), value.count)
  }

  /// Runs a callback on the store, and reports its errors to the plugin.
  private static func answer(
    _ own: UnsafeMutableRawPointer?, _ failure: UnsafeMutablePointer<PJRT_CallbackError?>?,
    _ body: (any KeyValueStore) throws -> Void
  ) -> OpaquePointer? {
    guard let own else { return nil }
    let store = Unmanaged<StoreCallbacks>.fromOpaque(own).takeUnretainedValue().store
    do {
      try body(store)
      return nil
    } catch {
      let known = error as? Failure
      var message = known?.message ?? "\(error)"
      return message.withUTF8 { text in
        text.withMemoryRebound(to: CChar.self) {
          failure?.pointee?((known?.code ?? .unavailable).rawValue, $0.baseAddress, $0.count)
        }
      }
    }
  }
}
