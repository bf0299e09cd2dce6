import Foundation
import Testing

/// The program without oneDNN's library.
@Suite struct OneDNNTests {
  @Test func oneWarningReportsThatItIsMissing() throws {
    let folder = try TemporaryFolder()
    // The loader stops at a file of this name that is not a library.
    for version in 1...9 { _ = try folder.file("libdnnl.so.\(version)", "no library") }
    let sample = ["sample", "Assets/fashion-mnist-base.safetensors", "--columns=1"]
    func run(_ more: String...) throws -> Command.Result {
      try Command.start(
        sample + ["--output", folder.path + "/sheet.png"] + more,
        environment: ["LD_LIBRARY_PATH": folder.path]
      ).finish()
    }
    let result = try run()
    #expect(result.status == 0)
    #expect(result.errors.components(separatedBy: "oneDNN").count == 2, "\(result.errors)")
    #expect(try run("--no-kernels").errors.isEmpty)
    #expect(
      try Command.start(sample + ["--output", folder.path + "/sheet.png"]).finish().errors.isEmpty)
  }
}
