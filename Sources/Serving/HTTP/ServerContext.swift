import Hummingbird
import NIOCore

/// What the server knows of a request besides the request itself.
struct ServerContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection.
  let channel: any Channel
  /// The number of the request, which answers and logs name.
  let number = "req_" + String(UInt64.random(in: .min ... .max), radix: 16)

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }

  /// The address of the client, without its port.
  var address: String { channel.remoteAddress?.ipAddress ?? "local" }

  /// Runs an operation that is cancelled once the client has gone, or after some seconds.
  ///
  /// - Throws: `CancellationError` where the client has gone, `Overdue`, and what the operation throws.
  func whileConnected<Result: Sendable>(
    seconds: Double, _ operation: @escaping @Sendable () async throws -> Result
  ) async throws -> Result {
    let watch = try? await channel.pipeline.handler(type: ConnectionWatch.self).get()
    let task = Task {
      try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await operation() }
        group.addTask {
          try await Task.sleep(for: .seconds(seconds))
          throw Overdue(seconds: seconds)
        }
        defer { group.cancelAll() }
        return try await group.next()!
      }
    }
    let number = watch?.whenClosed { task.cancel() }
    defer { if let number { watch?.forget(number) } }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  /// A request has taken longer than it may.
  struct Overdue: Error {
    let seconds: Double
  }
}
