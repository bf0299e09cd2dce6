import CPJRT
import Foundation

/// The value of an option for making a client, such as `cpu_device_count`.
public enum NamedValue: Hashable, Sendable {
  /// An integer.
  case integer(Int64)
  /// A string.
  case string(String)
  /// A boolean.
  case bool(Bool)
  /// A number in single precision.
  case float(Float)
  /// A list of integers.
  case integers([Int64])

  /// Calls `body` with the options in the form of the interface, sorted by name.
  static func withValues<Result>(
    _ options: [String: NamedValue], _ body: (UnsafeBufferPointer<PJRT_NamedValue>) throws -> Result
  ) rethrows -> Result {
    var owned: [UnsafeMutableRawPointer] = []
    defer { owned.forEach { $0.deallocate() } }
    func keep<Unit>(_ units: some Collection<Unit>) -> UnsafePointer<Unit> {
      let copy = UnsafeMutableBufferPointer<Unit>.allocate(capacity: max(units.count, 1))
      _ = copy.initialize(from: units)
      owned.append(UnsafeMutableRawPointer(copy.baseAddress!))
      return UnsafePointer(copy.baseAddress!)
    }
    let values = options.sorted { $0.key < $1.key }.map { name, value in
      var entry = sized(PJRT_NamedValue())
      entry.name = keep(name.utf8CString)
      entry.name_size = name.utf8.count
      entry.value_size = 1
      switch value {
      case .integer(let number):
        entry.type = Int32(PJRT_NAMED_INT64)
        entry.int64_value = number
      case .string(let string):
        entry.type = Int32(PJRT_NAMED_STRING)
        entry.string_value = keep(string.utf8CString)
        entry.value_size = string.utf8.count
      case .bool(let flag):
        entry.type = Int32(PJRT_NAMED_BOOL)
        entry.bool_value = flag
      case .float(let number):
        entry.type = Int32(PJRT_NAMED_FLOAT)
        entry.float_value = number
      case .integers(let numbers):
        entry.type = Int32(PJRT_NAMED_INT64_LIST)
        entry.int64_array_value = keep(numbers)
        entry.value_size = numbers.count
      }
      return entry
    }
    return try values.withUnsafeBufferPointer(body)
  }

  /// The text of a plugin's value.
  static func text(_ value: PJRT_NamedValue) -> String {
    switch value.type {
    case Int32(PJRT_NAMED_STRING): PJRT.text(value.string_value, value.value_size)
    case Int32(PJRT_NAMED_INT64): "\(value.int64_value)"
    case Int32(PJRT_NAMED_INT64_LIST):
      UnsafeBufferPointer(start: value.int64_array_value, count: value.value_size)
        .map(String.init).joined(separator: ".")
    case Int32(PJRT_NAMED_FLOAT): "\(value.float_value)"
    case Int32(PJRT_NAMED_BOOL): "\(value.bool_value)"
    default: ""
    }
  }
}

extension NamedValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral,
  ExpressibleByBooleanLiteral
{
  /// Makes an integer from a literal.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// Makes a string from a literal.
  public init(stringLiteral value: String) { self = .string(value) }
  /// Makes a boolean from a literal.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
}
