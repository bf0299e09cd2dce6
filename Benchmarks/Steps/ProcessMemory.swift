import Foundation

/// What the process has in memory, in bytes, as Linux tells it.
struct ProcessMemory {
  /// All resident pages.
  private(set) var resident = 0
  /// The most that was resident since the start or `resetPeak`.
  private(set) var peak = 0
  /// Resident pages that belong to no file.
  private(set) var anonymous = 0
  /// Resident pages of mapped files.
  private(set) var mapped = 0

  init() {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    for line in status.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count == 3, let count = Int(words[1]) else { continue }
      switch words[0] {
      case "VmRSS:": resident = count << 10
      case "VmHWM:": peak = count << 10
      case "RssAnon:": anonymous = count << 10
      case "RssFile:": mapped = count << 10
      default: continue
      }
    }
  }

  /// Begins anew to look for the peak.
  static func resetPeak() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
  }
}
