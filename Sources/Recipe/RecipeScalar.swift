import Yams

/// A Swift type that stands in YAML as one scalar.
protocol RecipeScalar {
  /// The values that the type accepts, for messages with "was expected".
  static var expected: String { get }

  /// The value of the scalar, nil where it has another type.
  static func read(_ scalar: Node.Scalar) -> Self?

  /// The values that the type accepts instead of a scalar that it rejected.
  static func expected(insteadOf scalar: Node.Scalar) -> String
}

extension RecipeScalar {
  static func expected(insteadOf scalar: Node.Scalar) -> String { expected }
}

extension Node.Scalar {
  /// Whether the text stands without quotes, so that it may be a number, a truth value or null.
  var isPlain: Bool { style == .plain || style == .any }

  /// Whether this is YAML's null, explicit or left out.
  var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(string) }

  /// The text of a number in decimal digits, without the `_` that may stand between two digits.
  ///
  /// Nil for all other texts: Swift's own initializers take `inf`, `nan` and hexadecimal too.
  fileprivate func decimal(allowingFraction: Bool) -> String? {
    guard isPlain else { return nil }
    let whole = #/[-+]?[0-9]+(?:_[0-9]+)*/#
    let fractional = #/[-+]?(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?/#
    guard string.wholeMatch(of: allowingFraction ? fractional : whole) != nil else { return nil }
    return string.replacing("_", with: "")
  }
}

extension FixedWidthInteger where Self: RecipeScalar {
  static var expected: String {
    bitWidth == Int.bitWidth && isSigned ? "a whole number" : "a whole number from \(min) to \(max)"
  }

  static func read(_ scalar: Node.Scalar) -> Self? {
    scalar.decimal(allowingFraction: false).flatMap { Self($0) }
  }

  static func expected(insteadOf scalar: Node.Scalar) -> String {
    scalar.decimal(allowingFraction: false) == nil
      ? expected : "a whole number from \(min) to \(max)"
  }
}

extension Int: RecipeScalar {}
extension Int8: RecipeScalar {}
extension Int16: RecipeScalar {}
extension Int32: RecipeScalar {}
extension Int64: RecipeScalar {}
extension UInt: RecipeScalar {}
extension UInt8: RecipeScalar {}
extension UInt16: RecipeScalar {}
extension UInt32: RecipeScalar {}
extension UInt64: RecipeScalar {}

extension BinaryFloatingPoint where Self: RecipeScalar & LosslessStringConvertible {
  static var expected: String { "a finite number" }

  static func read(_ scalar: Node.Scalar) -> Self? {
    guard let text = scalar.decimal(allowingFraction: true), let value = Self(text) else {
      return nil
    }
    // A number too small to be distinguished from 0 would become another one.
    return value.isFinite && (value != 0 || isZero(text)) ? value : nil
  }

  static func expected(insteadOf scalar: Node.Scalar) -> String {
    guard let text = scalar.decimal(allowingFraction: true), Self(text) == 0 else {
      return expected
    }
    return "0, or a number whose size is at least \(leastNonzeroMagnitude)"
  }

  /// Whether all digits of a number are 0.
  private static func isZero(_ text: String) -> Bool {
    text.prefix { $0 != "e" && $0 != "E" }.allSatisfy { "+-.0".contains($0) }
  }
}

extension Double: RecipeScalar {}
extension Float: RecipeScalar {}

extension Bool: RecipeScalar {
  static var expected: String { "true or false" }

  static func read(_ scalar: Node.Scalar) -> Bool? {
    switch (scalar.isPlain, scalar.string) {
    case (true, "true"): true
    case (true, "false"): false
    default: nil
    }
  }
}

extension String: RecipeScalar {
  static var expected: String { "text" }

  static func read(_ scalar: Node.Scalar) -> String? { scalar.isNull ? nil : scalar.string }
}

extension Node {
  /// The node in words, to follow "is".
  var inWords: String {
    switch self {
    case .scalar(let scalar) where scalar.isNull: "empty"
    case .scalar(let scalar):
      scalar.isPlain ? "\"\(scalar.string)\"" : "the quoted text \"\(scalar.string)\""
    case .mapping: "a mapping"
    case .sequence(let sequence): "a list of \(sequence.count)"
    case .alias(let alias): "the alias \(alias.anchor.rawValue)"
    }
  }
}
