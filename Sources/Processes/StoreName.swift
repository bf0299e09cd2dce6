import Files
import Foundation

/// The name of a store as TWINFLOW_STORE or `--store` gives it.
enum StoreName: Equatable {
  /// A folder.
  case folder(String)
  /// A Redis server, and the prefix of the keys of all runs.
  case redis(host: String, port: Int, prefix: String)

  /// Reads a name.
  ///
  /// - Throws: `ProcessesError.unknownStore`, and `wrongStore` for an unsupported part of a
  ///   server's address.
  init(_ name: String) throws(ProcessesError) {
    guard let separator = name.range(of: "://") else {
      self = .folder(expandedPath(name))
      return
    }
    guard name[..<separator.lowerBound] == "redis" else { throw .unknownStore(name) }
    func wrong(_ reason: String) -> ProcessesError { .wrongStore(name, reason: reason) }
    let rest = name[separator.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    let path = rest.dropFirst(authority.count)
    guard !path.contains(where: { "?#".contains($0) }) else {
      throw wrong("nothing may follow the path")
    }
    guard !authority.contains("@") else { throw wrong("a user and a password are not supported") }
    let (host, port) = try Self.split(authority, wrong)
    let prefix = path.split(separator: "/").joined(separator: "/")
    self = .redis(host: host, port: port, prefix: prefix)
  }

  /// The host and the port; an IPv6 address is in brackets.
  private static func split(
    _ authority: Substring, _ wrong: (String) -> ProcessesError
  ) throws(ProcessesError) -> (host: String, port: Int) {
    var host = authority
    var number: Substring?
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw wrong("`\(rest)` is not a port") }
      number = rest.isEmpty ? nil : rest.dropFirst()
    } else if let colon = authority.firstIndex(of: ":") {
      host = authority[..<colon]
      number = authority[authority.index(after: colon)...]
    }
    guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "%" }) else {
      throw wrong("the host is missing")
    }
    guard let number else { return (String(host), 6379) }
    guard number.allSatisfy(\.isNumber), let port = Int(number), (1...65535).contains(port) else {
      throw wrong("the port is \"\(number)\"; it must be from 1 to 65535")
    }
    return (String(host), port)
  }
}
