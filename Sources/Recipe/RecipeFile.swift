import Foundation

/// The text of a recipe's file, which may be a pipe such as a shell's `<(…)` or /dev/stdin.
enum RecipeFile {
  /// The maximum size in bytes, a hundred times what any recipe needs.
  static let limit = 1 << 20

  /// Reads a file to its end.
  ///
  /// - Throws: `RecipeError.unreadable` with the reason.
  static func text(of file: String) throws(RecipeError) -> String {
    let bytes: [UInt8]
    do {
      bytes = try read(file)
    } catch {
      throw .unreadable(file: file, reason: error.reason)
    }
    return try text(bytes, file: file)
  }

  /// The reason why a file cannot be read.
  private struct Failure: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    init(code: Int32) {
      switch code {
      case ENOENT: reason = "no such file"
      case EACCES, EPERM: reason = "you may not read it: \(String(cString: strerror(code)))"
      default: reason = String(cString: strerror(code))
      }
    }
  }

  private static func read(_ file: String) throws(Failure) -> [UInt8] {
    guard !file.utf8.contains(0) else { throw Failure("its name holds a NUL character") }
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure(code: errno) }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw Failure("it is a folder: name a YAML file")
    }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw Failure(code: errno)
      }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      guard bytes.count <= limit else {
        throw Failure("it is longer than \(limit) bytes: is it a recipe?")
      }
    }
  }

  /// Bytes as text, without a byte order mark.
  static func text(_ bytes: [UInt8], file: String) throws(RecipeError) -> String {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw .unreadable(file: file, reason: "it is UTF-16 text: save it as UTF-8")
    }
    let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    if let text = String(validating: body, as: UTF8.self) { return text }
    var parser = Unicode.UTF8.ForwardParser()
    var rest = body.makeIterator()
    var (valid, line) = (0, 1)
    while case .valid(let scalar) = parser.parseScalar(from: &rest) {
      valid += scalar.count
      if scalar.first == UInt8(ascii: "\n") { line += 1 }
    }
    let byte = String(body[body.startIndex + valid], radix: 16, uppercase: true)
    throw .unreadable(
      file: file,
      reason: "line \(line) holds the byte 0x\(byte), which is no UTF-8 text: save it as UTF-8")
  }
}
