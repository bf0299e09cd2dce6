import CPJRT
import Foundation
import Synchronization
import Testing

@testable import PJRT

/// The callbacks that a plugin gets, called as a plugin does.
@Suite struct KeyValueStoreTests {
  private final class MemoryStore: KeyValueStore {
    private let values = Mutex<[String: [UInt8]]>([:])

    struct Broken: Error, CustomStringConvertible {
      let description = "the store is broken"
    }

    func put(_ key: String, _ value: [UInt8]) throws {
      if key == "broken" { throw Broken() }
      values.withLock { $0[key] = value }
    }

    func get(_ key: String) throws -> [UInt8]? {
      if key == "broken" { throw Broken() }
      return values.withLock { $0[key] }
    }
  }

  /// What a plugin makes of an error: here the address of its code and text.
  private final class Failure {
    let code: Int32
    let text: String

    init(_ code: Int32, _ text: String) { (self.code, self.text) = (code, text) }

    static func take(_ error: OpaquePointer?) -> Failure? {
      error.map { Unmanaged<Failure>.fromOpaque(UnsafeRawPointer($0)).takeRetainedValue() }
    }

    static let callback: PJRT_CallbackError = { code, text, count in
      let failure = Failure(code, PJRT.text(text, count))
      return OpaquePointer(Unmanaged.passRetained(failure).toOpaque())
    }
  }

  private let store = MemoryStore()
  private let callbacks: StoreCallbacks
  private var arguments = PJRT_Client_Create_Args()

  init() {
    callbacks = StoreCallbacks(store)
    callbacks.install(in: &arguments)
  }

  private func put(_ key: String, _ value: [UInt8]) -> Failure? {
    var failure: PJRT_CallbackError? = Failure.callback
    return withUnsafeMutablePointer(to: &failure) { failure in
      key.withCString { key in
        value.withUnsafeBytes { value in
          var call = PJRT_KeyValuePutCallback_Args()
          (call.key, call.key_size) = (key, strlen(key))
          call.value = value.baseAddress?.assumingMemoryBound(to: CChar.self)
          call.value_size = value.count
          call.callback_error = failure
          call.user_arg = arguments.kv_put_user_arg
          return Failure.take(arguments.kv_put_callback(&call))
        }
      }
    }
  }

  private func get(_ key: String, milliseconds: Int32?) -> (value: [UInt8]?, Failure?) {
    var failure: PJRT_CallbackError? = Failure.callback
    return withUnsafeMutablePointer(to: &failure) { failure in
      key.withCString { key in
        func answer(
          _ error: OpaquePointer?, _ value: UnsafeMutablePointer<CChar>?, _ count: Int,
          _ delete: (@convention(c) (UnsafeMutablePointer<CChar>?) -> Void)?
        ) -> ([UInt8]?, Failure?) {
          if let failure = Failure.take(error) { return (nil, failure) }
          defer { delete?(value) }
          return ([UInt8](UnsafeRawBufferPointer(start: value, count: count)), nil)
        }
        if let milliseconds {
          var call = PJRT_KeyValueGetCallback_Args()
          (call.key, call.key_size) = (key, strlen(key))
          (call.timeout_in_ms, call.callback_error) = (milliseconds, failure)
          call.user_arg = arguments.kv_get_user_arg
          let error = arguments.kv_get_callback(&call)
          return answer(error, call.value, call.value_size, call.value_deleter)
        }
        var call = PJRT_KeyValueTryGetCallback_Args()
        (call.key, call.key_size) = (key, strlen(key))
        call.callback_error = failure
        call.user_arg = arguments.kv_try_get_user_arg
        let error = arguments.kv_try_get_callback(&call)
        return answer(error, call.value, call.value_size, call.value_deleter)
      }
    }
  }

  @Test func valuesComeBack() {
    #expect(put("topology/0", [0, 1, 255]) == nil)
    #expect(get("topology/0", milliseconds: 1000).value == [0, 1, 255])
    #expect(get("topology/0", milliseconds: nil).value == [0, 1, 255])
    #expect(put("empty", []) == nil)
    #expect(get("empty", milliseconds: 0).value == [])
  }

  @Test func missingKeyIsReportedToThePlugin() {
    let (waited, late) = get("absent", milliseconds: 30)
    #expect(waited == nil && late?.code == PJRTError.Code.deadlineExceeded.rawValue)
    #expect(late?.text.contains("absent") == true)
    let (tried, missing) = get("absent", milliseconds: nil)
    #expect(tried == nil && missing?.code == PJRTError.Code.notFound.rawValue)
  }

  @Test func storeErrorIsReportedToThePlugin() {
    for failure in [put("broken", [1]), get("broken", milliseconds: 10).1] {
      #expect(failure?.code == PJRTError.Code.unavailable.rawValue)
      #expect(failure?.text == "the store is broken")
    }
  }

  @Test func waitsForAnotherThreadsValue() {
    Thread.detachNewThread { [store] in
      Thread.sleep(forTimeInterval: 0.05)
      try? store.put("late", [9])
    }
    #expect(get("late", milliseconds: 5000).value == [9])
  }
}
