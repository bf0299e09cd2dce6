import ArgumentParser
import Foundation

/// The arguments of the command line as text.
enum ArgumentText {
  /// The arguments without the program's name.
  ///
  /// - Throws: `ArgumentTextError` for an argument that is not UTF-8, because replacing invalid
  ///   bytes would name another file.
  static func arguments() throws -> [String] {
    try (1..<max(1, Int(CommandLine.argc))).compactMap { index in
      try CommandLine.unsafeArgv[index].map { start in
        let bytes = UnsafeBufferPointer(start: start, count: strlen(start)).map(
          UInt8.init(bitPattern:))
        guard let text = String(validating: bytes, as: UTF8.self) else {
          throw ArgumentTextError.argument(escaped(bytes))
        }
        return text
      }
    }
  }

  /// Checks that the environment variables that this program reads are UTF-8.
  ///
  /// - Throws: `ArgumentTextError`.
  static func checkEnvironment() throws {
    let names = ["HOME", "TMPDIR", "XDG_CACHE_HOME"]
    for variable in sequence(first: environ, next: { $0 + 1 }) {
      guard let start = variable.pointee else { return }
      let bytes = UnsafeBufferPointer(start: start, count: strlen(start)).map(
        UInt8.init(bitPattern:))
      let name = String(decoding: bytes.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      guard name.hasPrefix("TWINFLOW_") || names.contains(name) else { continue }
      let value = bytes.dropFirst(name.utf8.count + 1)
      if String(validating: value, as: UTF8.self) == nil {
        throw ArgumentTextError.variable(name, escaped(value))
      }
    }
  }

  /// Joins an option and a negative number after it, `--seed -1`, to one argument, `--seed=-1`.
  ///
  /// Otherwise the parser would take `-1` for another option.
  static func joiningNegativeNumbers(_ arguments: [String]) -> [String] {
    var joined: [String] = []
    var isOpen = true
    for argument in arguments {
      if isOpen, let last = joined.last, last.wholeMatch(of: #/--[A-Za-z][-A-Za-z]*/#) != nil,
        argument.wholeMatch(of: #/-(?:[0-9.].*|inf.*|nan)/#.ignoresCase()) != nil
      {
        joined[joined.count - 1] = "\(last)=\(argument)"
        continue
      }
      if argument == "--" { isOpen = false }
      joined.append(argument)
    }
    return joined
  }

  /// Bytes as text, with invalid bytes escaped as `\xff`.
  static func escaped(_ bytes: some Sequence<UInt8>) -> String {
    var (parser, rest, text) = (Unicode.UTF8.ForwardParser(), bytes.makeIterator(), "")
    // The parser reports the number of invalid bytes, not their values.
    let all = Array(bytes)
    var index = 0
    while true {
      switch parser.parseScalar(from: &rest) {
      case .valid(let scalar):
        let decoded = Unicode.UTF8.decode(scalar)
        text +=
          decoded.value < 0x20 || decoded.value == 0x7F
          ? decoded.escaped(asASCII: true) : String(decoded)
        index += scalar.count
      case .error(let length):
        for byte in all[index..<index + length] {
          text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        index += length
      case .emptyInput: return text
      }
    }
  }
}

/// Input of the program that is not UTF-8.
enum ArgumentTextError: Error, Equatable, CustomStringConvertible {
  /// An argument, with invalid bytes escaped.
  case argument(String)
  /// An environment variable, with the invalid bytes of its value escaped.
  case variable(String, String)

  /// What was found and what to do.
  var description: String {
    switch self {
    case .argument(let text): "The argument '\(text)' is not UTF-8 text: rename the file."
    case .variable(let name, let text):
      "The environment variable \(name) is '\(text)', which is not UTF-8 text: set it to "
        + "one that is."
    }
  }
}

/// Reads a seed of the command line.
///
/// - Throws: `SeedError` for anything but a whole number from 0.
func seedOption(_ argument: String) throws -> UInt64 {
  guard let seed = UInt64(argument) else { throw SeedError() }
  return seed
}

/// An invalid seed.
struct SeedError: Error, CustomStringConvertible {
  /// What is expected.
  var description: String { "A seed is a whole number from 0 to \(UInt64.max)." }
}
