/// Tells the user twice a minute how far the encoding is.
struct EncodingProgress {
  private let count: Int
  private let checkStop: (String) throws -> Void
  private let notice: (String) -> Void
  private var last = ContinuousClock.now

  init(
    count: Int, _ check: @escaping (String) throws -> Void, _ notice: @escaping (String) -> Void
  ) {
    (self.count, checkStop, self.notice) = (count, check, notice)
  }

  /// Ends the encoding where that is wished.
  func check() throws { try checkStop("all samples were encoded") }

  mutating func tell(_ what: String, _ number: Int) throws {
    try check()
    guard ContinuousClock.now - last > .seconds(30) else { return }
    last = .now
    notice("Encoded the \(what) of \(number) of \(count) samples.")
  }
}
