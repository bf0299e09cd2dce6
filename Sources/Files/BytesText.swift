import Foundation

extension Int {
  /// A human-readable number of bytes.
  package var bytesText: String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(self), 0)
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(self) bytes" : String(format: "%.1f %@", value, units[unit])
  }
}
