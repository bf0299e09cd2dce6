import ArgumentParser
import Foundation
import Tensors

/// `twinflow devices`
struct Devices: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the plugin and its devices.",
    discussion: """
      EXAMPLE
        twinflow devices
      """)

  @OptionGroup var engine: EngineOptions

  func run() throws {
    let client = try engine.open().client
    let version = client.plugin.version
    print("plugin    \(client.plugin.path)")
    print("version   PJRT \(version.major).\(version.minor), \(client.platformVersion)")
    print("platform  \(client.platformName)")
    for device in client.devices {
      var line = "device    \(device.id): \(device.kind)"
      if let memory = try client.memory(of: device) {
        line += ", \(memory.inUse.bytesText) in use"
        if let limit = memory.limit { line += " of \(limit.bytesText)" }
      }
      print(line)
    }
  }
}
