import Dispatch
import Synchronization

/// Work on several threads.
enum Parallel {
  /// The results of a function for 0 to `count − 1`, computed on all cores.
  static func map<Result: Sendable>(
    _ count: Int, _ body: @Sendable (Int) -> Result
  ) -> [Result] {
    let results = Mutex([Result?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { number in
      let result = body(number)
      results.withLock { $0[number] = result }
    }
    return results.withLock { $0.map { $0! } }
  }

  /// The values of a function for 0 to `count − 1`, computed on all cores.
  ///
  /// - Throws: the first of its errors.
  static func tryMap<Value: Sendable>(
    _ count: Int, _ body: @Sendable (Int) throws -> Value
  ) throws -> [Value] {
    try map(count) { number in Result { try body(number) } }.map { try $0.get() }
  }
}
