import Files
import Foundation

/// The key that clients of a server must send.
public struct APIKey: Sendable, CustomStringConvertible {
  private let bytes: [UInt8]

  /// The variable of the environment that holds a key.
  public static let variable = "TWINFLOW_API_KEY"

  /// The lengths that a key may have in bytes.
  public static let lengths = 16...1024

  /// Makes a key from a text, without the blanks and line ends around it.
  ///
  /// - Parameter source: where the text comes from, for messages.
  /// - Throws: `ServingError`.
  public init(_ text: String, source: String) throws(ServingError) {
    let trimmed = Array(text.trimmingCharacters(in: .whitespacesAndNewlines).utf8)
    guard Self.lengths.contains(trimmed.count) else {
      throw .keyLength(source: source, found: trimmed.count, expected: Self.lengths)
    }
    guard trimmed.allSatisfy({ 0x21...0x7E ~= $0 }) else { throw .keyNotPrintable(source: source) }
    bytes = trimmed
  }

  /// Reads a file that holds nothing but a key.
  ///
  /// - Throws: `FileError.unreadable` and `ServingError`.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path)
    // Whatever is longer is no key.
    let text = withExtendedLifetime(file) {
      String(decoding: file.bytes.prefix(Self.lengths.upperBound * 4), as: UTF8.self)
    }
    try self.init(text, source: path)
  }

  /// The key in the environment, nil without one.
  ///
  /// - Throws: `ServingError`.
  public static func environment(
    _ environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(ServingError) -> APIKey? {
    guard let text = environment[variable], !text.isEmpty else { return nil }
    return try APIKey(text, source: variable)
  }

  /// Whether a text is the key.
  ///
  /// The time depends on the length of the text alone, not on the key and on how much of it is right.
  public func matches(_ text: String) -> Bool {
    var difference = text.utf8.count ^ bytes.count
    for (place, byte) in text.utf8.enumerated() {
      difference |= Int(byte ^ bytes[place % bytes.count])
    }
    return difference == 0
  }

  /// Whether a request's header `Authorization` has the key: `Bearer KEY`, RFC 6750, 2.1, or `Basic`
  /// with any user and the key as the password, RFC 7617, as clients of AUTOMATIC1111's API send it.
  public func authorizes(_ header: String?) -> Bool {
    guard let header, let blank = header.utf8.firstIndex(of: 0x20) else { return false }
    let content = header[blank...].trimmingCharacters(in: .whitespaces)
    switch header[..<blank].lowercased() {
    case "bearer": return matches(content)
    case "basic":
      guard let data = Data(base64Encoded: content),
        let pair = String(data: data, encoding: .utf8), let colon = pair.firstIndex(of: ":")
      else { return false }
      return matches(String(pair[pair.index(after: colon)...]))
    default: return false
    }
  }

  /// Says that there is a key, not which.
  public var description: String { "an API key" }
}
