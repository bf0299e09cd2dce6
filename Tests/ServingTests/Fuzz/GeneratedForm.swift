import TestSupport

@testable import Serving

/// A random valid form, with its bytes.
struct GeneratedForm {
  let boundary: String
  private(set) var parts: [(name: String, filename: String?, type: String?, content: [UInt8])] = []
  private(set) var bytes: [UInt8] = []

  /// Draws a form, whose content is often almost a boundary.
  init(_ random: inout SeededGenerator) {
    let letters = Array("ABCabc019'()+_,-./:=?")
    boundary = String(
      (0..<Int.random(in: 1...70, using: &random)).map { _ in
        letters.randomElement(using: &random) ?? "a"
      })
    let delimiter = Array("\r\n--\(boundary)".utf8)
    if Bool.random(using: &random) { bytes += Array("preamble\r\n-- \(boundary)\r\n".utf8) }
    bytes += delimiter.dropFirst(bytes.isEmpty ? 2 : 0)
    for _ in 0..<Int.random(in: 0...6, using: &random) {
      let name = Self.text(&random)
      let filename = Bool.random(using: &random) ? Self.text(&random) : nil
      let type = Bool.random(using: &random) ? "image/png" : nil
      let content = Self.content(near: delimiter, &random)
      parts.append((name, filename, type, content))
      bytes += "\r\n".utf8
      if let type { bytes += "content-type: \(type)\r\n".utf8 }
      bytes += "Content-Disposition: form-data; name=\(Self.quoted(name))".utf8
      if let filename { bytes += "; filename=\(Self.quoted(filename))".utf8 }
      bytes += "\r\n\r\n".utf8
      bytes += content + delimiter
    }
    bytes += "--".utf8
    if Bool.random(using: &random) { bytes += "\r\n".utf8 + Self.content(near: [], &random) }
  }

  /// The header that belongs to the body.
  var contentType: String { "multipart/form-data; boundary=\"\(boundary)\"" }

  private static func quoted(_ text: String) -> String {
    "\""
      + text.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "\""
  }

  private static func text(_ random: inout SeededGenerator) -> String {
    let letters = Array("ab[]\"\\; =é靴👕%/.:")
    return String(
      (0..<Int.random(in: 1...20, using: &random)).map { _ in
        letters.randomElement(using: &random) ?? "a"
      })
  }

  /// Bytes with pieces of a delimiter, but without a whole one, also across their ends.
  private static func content(
    near delimiter: [UInt8], _ random: inout SeededGenerator
  ) -> [UInt8] {
    var content: [UInt8] = []
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: content.append(.random(in: .min ... .max, using: &random))
      case 1: content += [0x0D, 0x0A]
      default: content += delimiter.dropLast(Int.random(in: 1...6, using: &random))
      }
    }
    // A line end before the content makes one of a boundary at its start.
    let whole = [0x0D, 0x0A] + content + delimiter.dropLast()
    let hasDelimiter =
      !delimiter.isEmpty
      && whole.indices.contains { whole[$0...].starts(with: delimiter) }
    return hasDelimiter ? [] : content
  }
}
