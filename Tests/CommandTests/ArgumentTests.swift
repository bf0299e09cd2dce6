import Foundation
import Testing

@testable import twinflow

/// Arguments at the edges of what they can be.
@Suite struct ArgumentTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func shell(
    _ script: String, environment: [String: String] = [:]
  ) throws -> Command.Result {
    try Command.start(
      ["-c", script, "bash", Command.program], environment: environment, program: "/bin/bash"
    ).finish()
  }

  @Test func argumentsThatAreNotUTF8AreRejected() throws {
    let named = try shell("\"$1\" sample $'a\\xff.png'")
    #expect(named.status != 0 && named.output.isEmpty)
    #expect(
      named.errors == "Error: The argument 'a\\xff.png' is not UTF-8 text: rename the file.\n")
    let variable = try shell("TWINFLOW_PLUGIN=$'/\\xc3\\x28' \"$1\" devices")
    #expect(variable.status != 0 && variable.errors.contains("TWINFLOW_PLUGIN is '/\\xc3('"))
    let other = try shell("SOMETHING=$'\\xff' \"$1\" recipe show rcgm")
    #expect(other.status == 0)
  }

  @Test(
    arguments: [
      ([0x61, 0xFF, 0x62], "a\\xffb"), ([0xC3, 0xA9, 0x0A], "é\\n"), ([0xE2, 0x82], "\\xe2\\x82"),
      ([0x80, 0x05], "\\x80\\u{05}"), ([], ""),
    ] as [([UInt8], String)])
  func invalidBytesAreEscaped(bytes: [UInt8], expected: String) {
    #expect(ArgumentText.escaped(bytes) == expected)
  }

  @Test(arguments: [
    (["--seed", "-1"], ["--seed=-1"]), (["--a", "-.5", "--b"], ["--a=-.5", "--b"]),
    (["--seconds", "-inf"], ["--seconds=-inf"]), (["--a=1", "-1"], ["--a=1", "-1"]),
    (["x", "-1"], ["x", "-1"]), (["--", "--a", "-1"], ["--", "--a", "-1"]),
    (["-o", "-1"], ["-o", "-1"]), (["--output", "-o"], ["--output", "-o"]), ([], []),
  ])
  func negativeNumbersBelongToTheirOption(arguments: [String], expected: [String]) {
    #expect(ArgumentText.joiningNegativeNumbers(arguments) == expected)
  }

  @Test(arguments: [
    ["sample", "x", "--seed", "-1"], ["sample", "x", "--seed=-1"], ["demo", "--seed", "-5"],
    ["evaluate", "x", "--seed", "1.5"], ["demo", "--seed", "18446744073709551616"],
  ])
  func anInvalidSeedIsRejected(arguments: [String]) throws {
    let result = try Command.start(arguments).finish()
    #expect(result.status != 0 && result.output.isEmpty)
    #expect(result.errors.contains("A seed is a whole number from 0 to"), "\(result.errors)")
  }

  @Test(arguments: ["-1", "1.5", "x", "18446744073709551616"])
  func anInvalidSeedOfARecipeIsRejected(seed: String) throws {
    let result = try Command.run("train", "Recipes/points.yaml", "--set", "seed=\(seed)")
    #expect(result.status != 0)
    #expect(
      result.errors.contains("`seed` is \"\(seed)\": a whole number from 0 to"), "\(result.errors)")
  }

  @Test(
    arguments: ["--seconds", "--wait", "--silence"],
    ["nan", "inf", "-inf", "1e300", "-1", "1000000001"])
  func secondsOutOfRangeAreRejected(option: String, value: String) throws {
    let result = try Command.run("check-processes", option, value)
    #expect(result.status == 64)
    #expect(result.errors.contains("\(option) is ") && result.errors.contains("1000000000."))
  }

  @Test(arguments: [
    (["launch", "check-processes", "--processes"], "4096"), (["devices", "--devices"], "1024"),
  ])
  func countsOutOfRangeAreRejected(arguments: [String], most: String) throws {
    for count in ["0", "-1", "\(Int(most)! + 1)", "9223372036854775807"] {
      let arguments =
        arguments[0] == "launch"
        ? ["launch", "--processes", count, "check-processes"] : arguments + [count]
      let result = try Command.start(arguments).finish()
      #expect(result.status == 64)
      #expect(result.errors.contains(count), "\(result.errors)")
      #expect(result.errors.contains(#/1 to \d+/#) && result.errors.contains("to \(most)"))
    }
  }

  @Test func theHomeFolderIsExpanded() throws {
    let own = ProcessInfo.processInfo.environment
    let home = [
      "HOME": folder.path,
      "XDG_CACHE_HOME": own["XDG_CACHE_HOME"] ?? (own["HOME"] ?? NSHomeDirectory()) + "/.cache",
    ]
    let result = try Command.start(
      ["train", "--set", "output=~/run", "--set", "steps=1", "Recipes/points.yaml"],
      environment: home
    ).finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.contents.contains("run"))
    let sheet = try Command.start(
      [
        "sample", "--output=~/sheet.png", "--columns=1", "Assets/fashion-mnist-base.safetensors",
      ], environment: home
    ).finish()
    #expect(sheet.status == 0, "\(sheet.errors)")
    #expect(folder.contents.contains("sheet.png"))
  }

  @Test(arguments: [
    ["train", ""], ["sample", ""], ["convert", "", "x", "--dtype", "bf16"], ["check-golden", ""],
    ["sample", "x", "--output", ""], ["devices", "--plugin", ""], ["compare", ""],
    ["check-processes", "--folder", ""], ["launch", "--processes", "1", "--store", "", "devices"],
  ])
  func anEmptyPathIsRejected(arguments: [String]) throws {
    let result = try Command.start(arguments).finish()
    #expect(result.status == 64 && result.errors.contains("The path is empty"), "\(result.errors)")
  }

  @Test func aRecipeIsReadFromAPipe() throws {
    let options = "--set output=\"$OUT/run\" --set steps=1"
    for script in [
      "\"$1\" train <(cat Recipes/points.yaml) \(options)",
      "cat Recipes/points.yaml | \"$1\" train /dev/stdin \(options)",
    ] {
      let result = try shell(script, environment: ["OUT": folder.path])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.output.contains("The weights are in"))
      try FileManager.default.removeItem(atPath: folder.path + "/run")
    }
  }
}
