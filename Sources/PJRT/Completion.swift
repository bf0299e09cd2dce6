import CPJRT
import Dispatch
import Synchronization

/// The completion of a program's run, which may still be running.
public final class Completion: Sendable {
  private struct State {
    var failure: PJRTError?
    var end: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  private let pending = DispatchGroup()

  /// Takes ownership of the events of a run, one per device.
  init(_ events: [OpaquePointer?], _ api: API, _ operation: String) {
    for case let event? in events {
      pending.enter()
      // The waiter is passed through the plugin as an address and retained until its callback.
      let waiter = Unmanaged.passRetained(Waiter(completion: self, api: api, operation: operation))
      var arguments = PJRT_Event_OnReady_Args()
      arguments.event = event
      arguments.user_arg = waiter.toOpaque()
      arguments.callback = { error, waiter in
        let waiter = Unmanaged<Waiter>.fromOpaque(waiter!).takeRetainedValue()
        waiter.completion.finish(error.map { waiter.api.take($0, waiter.operation) })
      }
      do {
        try api.call(\.Event_OnReady, &arguments, operation)
        api.destroy(event: event)
      } catch {
        waiter.release()
        // Without a callback the event is waited for here.
        do {
          try api.wait(event, operation)
          finish(nil)
        } catch {
          finish(error as? PJRTError)
        }
      }
    }
  }

  private final class Waiter: Sendable {
    let completion: Completion
    let api: API
    let operation: String

    init(completion: Completion, api: API, operation: String) {
      (self.completion, self.api, self.operation) = (completion, api, operation)
    }
  }

  private func finish(_ failure: PJRTError?) {
    state.withLock { state in
      state.failure = state.failure ?? failure
      state.end = .now
    }
    pending.leave()
  }

  /// Waits until the program has ended on every device of this process.
  ///
  /// - Throws: the plugin's error where the run failed.
  public func wait() throws {
    pending.wait()
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  /// When the program ended on the last device, nil while it runs.
  public var end: ContinuousClock.Instant? {
    pending.wait(timeout: .now()) == .success ? state.withLock { $0.end } : nil
  }
}
