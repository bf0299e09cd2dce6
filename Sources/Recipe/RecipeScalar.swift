import Yams

/// A Swift type that stands in YAML as one scalar.
protocol RecipeScalar {
  /// What the type accepts, to follow "was expected".
  static var expected: String { get }

  /// Reads the scalar, or gives nil where it is of another kind.
  static func read(_ scalar: Node.Scalar) -> Self?
}

extension Node.Scalar {
  /// Whether the text stands without quotes, so that it may be a number, a truth value or null.
  var isPlain: Bool { style == .plain || style == .any }

  /// Whether this is YAML's null, written out or left away.
  var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(string) }

  /// The text of a number in decimal digits, without the `_` that may stand between two digits.
  ///
  /// Nil for all other texts: Swift's own initialisers take `inf`, `nan` and hexadecimal too.
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
    return value.isFinite ? value : nil
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
