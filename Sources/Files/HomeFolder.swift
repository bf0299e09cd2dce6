import Foundation

/// A path with a leading `~` expanded to a home folder, as in shells.
///
/// `~` and `~/x` are in the folder of HOME, or of the user's entry where HOME is empty or not set;
/// `~user/x` is in that user's home folder. A `~` elsewhere and the name of an unknown user are not
/// expanded, because files may have such names; `./~` names a file `~`.
public func expandedPath(_ path: String) -> String {
  expandedPath(path, environment: ProcessInfo.processInfo.environment)
}

func expandedPath(_ path: String, environment: [String: String]) -> String {
  guard path.utf8.first == UInt8(ascii: "~") else { return path }
  let name = path.dropFirst().prefix { $0 != "/" }
  let rest = path.dropFirst(1 + name.count)
  let home: String?
  if name.isEmpty {
    home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? homeFolder(user: nil)
  } else {
    home = homeFolder(user: String(name))
  }
  guard let home, !home.isEmpty else { return path }
  // Avoids a double slash where the home folder is the root.
  return home.hasSuffix("/") && !rest.isEmpty ? String(home.dropLast()) + rest : home + rest
}

/// The home folder in the system's entry of a user, for nil of the current user; nil for an unknown
/// user.
private func homeFolder(user: String?) -> String? {
  var entry = passwd()
  var found: UnsafeMutablePointer<passwd>?
  var size = 1 << 10
  while size <= 1 << 20 {
    let memory = UnsafeMutablePointer<CChar>.allocate(capacity: size)
    defer { memory.deallocate() }
    let code =
      user.map { getpwnam_r($0, &entry, memory, size, &found) }
      ?? getpwuid_r(getuid(), &entry, memory, size, &found)
    if code == ERANGE {
      size *= 4
      continue
    }
    guard code == 0, found != nil, let folder = entry.pw_dir else { return nil }
    return String(validatingCString: folder)
  }
  return nil
}
