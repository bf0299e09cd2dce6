/// What is wrong with the number that an option was given.
struct NumberError: Error, CustomStringConvertible {
  let description: String
}

/// Reads an option that takes a finite number within a range.
func number(_ range: ClosedRange<Double>) -> @Sendable (String) throws -> Double {
  { text in
    guard let value = Double(text), value.isFinite, range.contains(value) else {
      throw NumberError(
        description: "it must be a number from \(range.lowerBound.short) to "
          + "\(range.upperBound.short)")
    }
    return value
  }
}

/// Reads an option that takes a finite number above 0.
func positive(_ text: String) throws -> Double {
  guard let value = Double(text), value > 0, value <= 1e12 else {
    throw NumberError(description: "it must be a number above 0, at most 1e12")
  }
  return value
}

/// Reads an option that takes a whole number within a range.
func whole(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text), range.contains(value) else {
      throw NumberError(
        description: "it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

extension Double {
  /// The number as people write it: without a fraction where it is whole.
  fileprivate var short: String {
    self == rounded() && abs(self) < 1e15 ? String(Int(self)) : String(self)
  }
}
