/// An invalid number for an option.
struct NumberError: Error, CustomStringConvertible {
  let description: String
}

/// A transform for options that take a finite number within a range.
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

/// A transform for options that take a finite number above 0.
func positive(_ text: String) throws -> Double {
  guard let value = Double(text), value > 0, value <= 1e12 else {
    throw NumberError(description: "it must be a number above 0, at most 1e12")
  }
  return value
}

/// A transform for options that take a whole number within a range.
func integer(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text), range.contains(value) else {
      throw NumberError(
        description: "it must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}

extension Double {
  /// The number without a fraction where it is whole.
  fileprivate var short: String {
    self == rounded() && abs(self) < 1e15 ? String(Int(self)) : String(self)
  }
}
