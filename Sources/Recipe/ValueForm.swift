/// A type of values that have a special form in recipes.
public protocol RecipeForm {
  /// The form, for the reference.
  static var form: String { get }
}

/// The form of a type's values in recipes; nil where only an example shows it.
func valueForm(of type: Any.Type, isMany: Bool = false) -> String? {
  let many = isMany ? "s" : ""
  if let own = type as? any RecipeForm.Type { return own.form }
  if let optional = type as? any OptionalValue.Type { return valueForm(of: optional.wrapped) }
  if let list = type as? any ListValue.Type {
    return valueForm(of: list.element, isMany: true).map { "list of \($0)" }
  }
  if let names = stringCases(of: type) {
    return names.map { "`\($0)`" }.joined(separator: ", ")
  }
  return switch type {
  case is any FixedWidthInteger.Type: "whole number\(many)"
  case is any BinaryFloatingPoint.Type: "number\(many)"
  case is Bool.Type: "`true`, `false`"
  case is String.Type: "text\(many)"
  case is any DocumentedKeys.Type: "group\(many), below"
  default: nil
  }
}

/// A value that may be absent.
protocol OptionalValue {
  static var wrapped: Any.Type { get }
  var isNil: Bool { get }
}

extension Optional: OptionalValue {
  static var wrapped: Any.Type { Wrapped.self }
  var isNil: Bool { self == nil }
}

/// A list of values.
protocol ListValue {
  static var element: Any.Type { get }
}

extension Array: ListValue {
  static var element: Any.Type { Element.self }
}
