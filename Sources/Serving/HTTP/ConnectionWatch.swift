import NIOCore
import Synchronization

/// Notices that the other end of a connection has gone, also while a request is answered.
final class ConnectionWatch: ChannelInboundHandler, RemovableChannelHandler, Sendable {
  typealias InboundIn = Any

  private struct State {
    var isClosed = false
    var last = 0
    var actions: [Int: @Sendable () -> Void] = [:]
  }

  private let state = Mutex(State())

  /// Calls a function once the other end has gone; at once where it has.
  ///
  /// - Returns: a number to forget the function by.
  func whenClosed(_ action: @escaping @Sendable () -> Void) -> Int {
    let (number, isClosed) = state.withLock { state in
      state.last += 1
      if !state.isClosed { state.actions[state.last] = action }
      return (state.last, state.isClosed)
    }
    if isClosed { action() }
    return number
  }

  /// Forgets a function.
  func forget(_ number: Int) { state.withLock { $0.actions[number] = nil } }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .inputClosed? = event as? ChannelEvent { close() }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    close()
    context.fireChannelInactive()
  }

  private func close() {
    let actions = state.withLock { state in
      state.isClosed = true
      defer { state.actions = [:] }
      return state.actions
    }
    for action in actions.values { action() }
  }
}
