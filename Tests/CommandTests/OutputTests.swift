import Foundation
import Testing

/// Output that cannot be written, and closed pipes.
@Suite struct OutputTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func shell(_ script: String, _ arguments: String...) throws -> Command.Result {
    try Command.start(["-c", script, "sh", Command.program] + arguments, program: "/bin/sh")
      .finish()
  }

  @Test(arguments: [
    ["recipe", "show", "rcgm"], ["--help"], ["--version"], ["train", "--help"],
    ["launch", "--processes", "2", "recipe", "show", "rcgm"],
  ])
  func aFullDeviceIsAnError(arguments: [String]) throws {
    let result = try Command.start(
      ["-c", "exec \"$@\" > /dev/full", "sh", Command.program] + arguments, program: "/bin/sh"
    ).finish()
    #expect(result.status == 1)
    #expect(
      result.errors.hasPrefix("Error: Output was lost: ")
        || result.errors.contains("No space left on device"), "\(result.errors)")
    #expect(
      result.errors.components(separatedBy: "was lost").count == 2 || arguments[0] == "launch")
  }

  @Test func aClosedPipeIsNotAnError() throws {
    let result = try shell(
      "(\"$@\"; echo \"status $?\" >&2) | head -n 1", "recipe", "show", "rcgm")
    #expect(result.output == "# RCGM: any-step generation without a twin trajectory.\n")
    #expect(result.errors == "status 0\n")
    let gone = try shell(
      "(sleep 0.2; \"$@\"; echo $? >&2) | true; sleep 1", "recipe", "show", "rcgm")
    #expect(gone.errors == "0\n")
  }

  @Test(arguments: [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
  func closedStreamsAreNotWrittenToOtherFiles(closing: String) throws {
    let sheet = folder.path + "/sheet.png"
    let result = try shell(
      "exec \"$@\" \(closing)", "sample", "Assets/fashion-mnist-base.safetensors", "--columns", "1",
      "--output", sheet)
    #expect(result.status == 0, "\(result.errors)")
    let start = try Data(contentsOf: URL(fileURLWithPath: sheet)).prefix(8)
    #expect([UInt8](start) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    let wrong = try shell("exec \"$@\" \(closing)", "sample", "none.safetensors")
    #expect(wrong.status == 1 && wrong.output.isEmpty)
  }
}
