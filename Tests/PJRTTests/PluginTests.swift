import Foundation
import PJRT
import TestSupport
import Testing

@Suite struct PluginTests {
  @Test func missingPluginNamesTheCommandThatInstallsOne() throws {
    let error = try #require(throws: PJRTError.self) {
      try Plugin.load(environment: ["XDG_CACHE_HOME": "/nowhere"])
    }
    #expect(error == .noPlugin(searched: "/nowhere/twinflow/plugins/pjrt-cpu.so", device: .cpu))
    for word in ["scripts/setup", "--plugin", "TWINFLOW_PLUGIN", "/nowhere"] {
      #expect(error.description.contains(word))
    }
  }

  @Test func explicitPathComesBeforeTheEnvironmentAndThatBeforeTheCache() throws {
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: folder) }
    let cached = folder.appending(path: "twinflow/plugins/pjrt-cpu.so")
    try FileManager.default.createDirectory(
      at: cached.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data().write(to: cached)
    let cache = ["XDG_CACHE_HOME": folder.path]
    let named = cache.merging(["TWINFLOW_PLUGIN": "/b.so"]) { $1 }
    #expect(try Plugin.find("/a.so", environment: named) == "/a.so")
    #expect(try Plugin.find(environment: named) == "/b.so")
    #expect(try Plugin.find(environment: cache) == cached.path)
  }

  @Test func otherFileIsRejected() throws {
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "text.so").path
    #expect(throws: PJRTError.notAPlugin(path: file, reason: .missing)) { try Plugin.load(file) }
    try Data("no library".utf8).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: PJRTError.self) { try Plugin.load(file) }
    guard case .notAPlugin(file, .notALibrary(let reason)) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("text.so"))
  }

  @Test func libraryWithoutEntryPointIsRejected() throws {
    let folders = ["/usr/lib", "/lib"].flatMap { root in
      ["x86_64", "aarch64"].map { "\(root)/\($0)-linux-gnu/libz.so.1" }
    }
    let library = try #require(
      (folders + ["/usr/lib64/libz.so.1"]).first(where: FileManager.default.fileExists))
    let path = URL(fileURLWithPath: library).resolvingSymlinksInPath().path
    #expect(throws: PJRTError.notAPlugin(path: path, reason: .noEntryPoint)) {
      try Plugin.load(library)
    }
  }

  @Test(arguments: Plugins.paths)
  func pluginIsLoadedOnceAndSaysWhatItIs(path: String) throws {
    let plugin = try Plugin.load(path)
    #expect(try Plugin.load(path) === plugin)
    #expect(plugin.version.major == 0 && plugin.version.minor > 50)
    #expect(plugin.attributes["stablehlo_current_version"]?.hasPrefix("1.") == true)
    let client = try Plugins.shared(path)
    #expect(client.platformName == "cpu")
    #expect(client.devices.map(\.id) == [0])
    #expect(client.addressableDevices == client.devices)
    #expect(client.devices[0].kind == "cpu")
  }

  @Test(arguments: Plugins.paths, [1, 3])
  func deviceCountIsAnOption(path: String, count: Int) throws {
    let client = try Plugins.client(path, devices: Int64(count))
    #expect(client.devices.map(\.id) == Array(0..<count))
  }
}
