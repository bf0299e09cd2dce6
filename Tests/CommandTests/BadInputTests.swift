import Foundation
import Testing

/// Each invalid input gives one clear message and an exit code, and leaves no files.
@Suite struct BadInputTests {
  let folder: TemporaryFolder
  private let base = "Assets/fashion-mnist-base.safetensors"

  init() throws { folder = try TemporaryFolder() }

  private func expectFailure(
    _ result: Command.Result, saying hints: String..., location: SourceLocation = #_sourceLocation
  ) {
    #expect(result.status != 0, sourceLocation: location)
    #expect(result.output.isEmpty, sourceLocation: location)
    for hint in hints {
      #expect(result.errors.contains(hint), "\(result.errors)", sourceLocation: location)
    }
  }

  @Test func noPlugin() throws {
    let result = try Command.run(
      "devices", environment: ["XDG_CACHE_HOME": folder.path, "TWINFLOW_PLUGIN": ""])
    expectFailure(result, saying: "scripts/setup", "TWINFLOW_PLUGIN")
  }

  @Test func invalidPlugin() throws {
    let text = try folder.file("plugin.so", "no library")
    expectFailure(try Command.run("devices", "--plugin", text), saying: text)
    expectFailure(
      try Command.run("devices", environment: ["TWINFLOW_PLUGIN": "/nowhere.so"]),
      saying: "/nowhere.so")
  }

  private func recipe(_ replacing: String = "", with text: String = "") throws -> String {
    let yaml = """
      model: {kind: dit, patch: 14, width: 16, depth: 1, heads: 2}
      objective:
        kind: twinflow
        groups: {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}
        order: 2
      data: {kind: fashion-mnist}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      batch: 8
      steps: 3
      output: \(folder.path)/run
      """
    return try folder.file(
      "recipe.yaml", replacing.isEmpty ? yaml : yaml.replacingOccurrences(of: replacing, with: text)
    )
  }

  @Test(arguments: [
    ("  order: 2", "  ordre: 2", ["ordre", "5", "order"]),
    ("batch: 8", "batch: many", ["batch", "8", "many"]),
    ("batch: 8", "batch: 3", ["batch", "3", "4"]),
    ("order: 2", "order: 99", ["order", "99", "16"]),
    ("steps: 3", "steps: 3\nsteps: 4", ["steps", "more than once"]),
    ("{kind: fashion-mnist}", "{kind: fashion-mnist", ["recipe.yaml"]),
  ])
  func wrongRecipe(found: String, replacement: String, hints: [String]) throws {
    let result = try Command.run("train", recipe(found, with: replacement))
    #expect(result.status != 0 && result.output.isEmpty)
    for hint in hints { #expect(result.errors.contains(hint), "\(result.errors)") }
    #expect(folder.contents == ["recipe.yaml"])
  }

  @Test func missingAndDamagedData() throws {
    let path = try recipe()
    expectFailure(
      try Command.run("train", path, "--set", "data.path=\(folder.path)"),
      saying: "dataset-fashion-mnist")
    for name in ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"] {
      let whole = try Data(
        contentsOf: URL(fileURLWithPath: "/usr/share/datasets/fashion-mnist/\(name)"))
      try whole.prefix(20000).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
    }
    expectFailure(
      try Command.run("train", path, "--set", "data.path=\(folder.path)"),
      saying: "train-images-idx3-ubyte.gz", "too early")
  }

  @Test func missingAndDamagedWeights() throws {
    let output = folder.path + "/sheet.png"
    expectFailure(
      try Command.run("sample", folder.path + "/none.safetensors", "--output", output),
      saying: "none.safetensors", "No such file")
    let whole = try Data(contentsOf: URL(fileURLWithPath: "\(Command.root)/\(base)"))
    let cut = folder.path + "/cut.safetensors"
    try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: cut))
    expectFailure(
      try Command.run("sample", cut, "--output", output), saying: "cut.safetensors", "safetensors")
    expectFailure(
      try Command.run("sample", "Assets/fashion-mnist-classifier.safetensors", "--output", output),
      saying: "classifier")
    expectFailure(
      try Command.run("evaluate", base, "--classifier", base), saying: "classifier")
    #expect(folder.contents == ["cut.safetensors"])
  }

  /// Numbers beyond what an option takes, NaN and infinity among them.
  @Test(arguments: [
    (
      "sample", "--steps", ["0", "-0", "10001", "9223372036854775807", "1e3", "x"],
      "from 1 to 10000"
    ),
    ("sample", "--columns", ["0", "501", "9223372036854775807"], "from 1 to 500"),
    ("sample", "--stochastic", ["2", "nan", "inf", "1e999"], "from 0 to 1"),
    ("sample", "--guidance", ["nan", "inf", "1e300", "1001"], "from 0 to 1000"),
    ("evaluate", "--guidance", ["nan", "infinity"], "from 0 to 1000"),
    ("evaluate", "--samples", ["0", "1", "1000001", "9223372036854775807"], "from 2 to 1000000"),
    ("evaluate", "--steps", ["0", "9223372036854775807"], "from 1 to 10000"),
  ])
  func impossibleOptions(
    command: String, option: String, values: [String], hint: String
  ) throws {
    for value in values {
      let result = try Command.run(command, base, "\(option)=\(value)")
      #expect(result.status == 64 && result.output.isEmpty)
      #expect(result.errors.contains(option) && result.errors.contains(hint), "\(result.errors)")
    }
  }

  @Test(arguments: [
    ["demo", "--steps", "2147483648"], ["demo", "--samples", "1"],
    ["plan", "Recipes/points.yaml", "--devices", "9223372036854775807"],
    ["plan", "Recipes/points.yaml", "--samples", "9223372036854775807"],
    ["plan", "Recipes/points.yaml", "--peak", "nan"],
    ["plan", "Recipes/points.yaml", "--link", "inf"],
    ["plan", "Recipes/points.yaml", "--device-memory", "1e300GB"],
    ["plan", "Recipes/points.yaml", "--device-memory", "nanGB"],
    ["compare", "Recipes/compare/points.yaml", "--set", "evaluations=1e30"],
    ["compare", "Recipes/compare/points.yaml", "--set", "evaluations=.nan"],
    ["train", "Recipes/points.yaml", "--set", "mesh={data: 9223372036854775807}"],
  ])
  func numbersAtTheEdges(arguments: [String]) throws {
    let result = try Command.start(arguments).finish()
    #expect([1, 64].contains(result.status) && result.output.isEmpty, "\(result.errors)")
    let option = arguments[arguments.count - 2]
    let name = option == "--set" ? arguments.last!.prefix { $0 != "=" } : Substring(option)
    #expect(result.errors.contains(name), "\(result.errors)")
  }

  /// A file is not replaced by another kind of file, and no input by an output.
  @Test func outputsReplaceNoInputsAndNoOtherFiles() throws {
    let weights = folder.path + "/weights.safetensors"
    try FileManager.default.copyItem(atPath: "\(Command.root)/\(base)", toPath: weights)
    let link = folder.path + "/link.safetensors"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: weights)
    let notes = try folder.file("notes.txt", "notes")
    let before = try Data(contentsOf: URL(fileURLWithPath: weights))
    expectFailure(
      try Command.run("sample", weights, "--output", weights), saying: weights, "replaced")
    expectFailure(
      try Command.run("sample", weights, "--output", notes), saying: notes, "PNG picture")
    expectFailure(
      try Command.run("convert", weights, weights, "--dtype", "bf16"), saying: weights, "replaced")
    expectFailure(
      try Command.run("convert", link, weights, "--dtype", "bf16"), saying: weights, "replaced")
    expectFailure(
      try Command.run("convert", weights, notes, "--dtype", "bf16"), saying: notes, "safetensors")
    expectFailure(
      try Command.run("evaluate", weights, "--samples", "100", "--output", weights),
      saying: weights, "replaced")
    expectFailure(
      try Command.run("evaluate", weights, "--samples", "100", "--output", notes), saying: notes)
    #expect(try Data(contentsOf: URL(fileURLWithPath: weights)) == before)
    let other = try folder.file("package.json", "{\"name\": \"mine\"}")
    expectFailure(
      try Command.run("evaluate", weights, "--samples", "100", "--output", other), saying: other)
    #expect(try String(contentsOfFile: other, encoding: .utf8) == "{\"name\": \"mine\"}")
    try FileManager.default.removeItem(atPath: other)
    #expect(try String(contentsOfFile: notes, encoding: .utf8) == "notes")
    #expect(folder.contents == ["link.safetensors", "notes.txt", "weights.safetensors"])
  }

  /// Points are not pictures, and no classifier evaluates them.
  @Test func networksOfOtherSamples() throws {
    let run = folder.path + "/points"
    let trained = try Command.run(
      "train", "Recipes/points.yaml", "--set", "steps=2", "--set", "output=\(run)")
    try #require(trained.status == 0, "\(trained.errors)")
    let points = run + "/weights.safetensors"
    expectFailure(
      try Command.run("sample", points, "--output", folder.path + "/points.png"),
      saying: points, "[2]", "not pictures")
    expectFailure(
      try Command.run("evaluate", points, "--samples", "100"), saying: points, "[2]", "[28, 28, 1]")
    #expect(folder.contents == ["points"])
  }

  @Test func labelsOutOfRange() throws {
    let path = try recipe("{kind: dit,", with: "{kind: dit, classes: 5,")
    expectFailure(
      try Command.run("train", path), saying: "recipe.yaml:1", "5 classes", "fashion-mnist has 10")
    #expect(folder.contents == ["recipe.yaml"])
  }

  /// A limit on the size of files stands for a full disk: writing fails midway.
  @Test func fullDisk() throws {
    let path = try recipe()
    let whole = try Command.run("train", path)
    #expect(whole.status == 0, "\(whole.errors)")
    let run = folder.path + "/run"
    let files = ["checkpoints/step-000003/state.safetensors", "weights.safetensors"].map {
      "\(run)/\($0)"
    }
    let before = try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }

    let script = """
      ulimit -f 8
      exec "$@"
      """
    let (_, finish) = try Command.start(
      ["-c", script, "sh", Command.program, "train", path, "--resume", "--set", "steps=5"],
      program: "/bin/sh")
    expectFailure(
      finish(), saying: "The state of step 5 was not saved.", "state.safetensors cannot be written",
      "The last good checkpoint is \(run)/checkpoints/step-000003: resume from it")
    #expect(try files.map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == before)
    #expect(RunFiles.names(in: run) == RunFiles.whole)
    // What was written of the checkpoint is gone, and with room the run goes on.
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: run + "/checkpoints") == ["step-000003"])
    #expect(try Command.run("train", path, "--resume", "--set", "steps=5").status == 0)
  }

  @Test func unwritableOutput() throws {
    let file = try folder.file("file", "")
    expectFailure(
      try Command.run("sample", base, "--columns", "1", "--output", file + "/sheet.png"),
      saying: file)
    expectFailure(
      try Command.run("train", recipe(), "--set", "output=\(file)/run"), saying: file)
    expectFailure(
      try Command.run("train", recipe(), "--set", "output=/proc/run"), saying: "/proc/run")
  }

  /// A step that needs terabytes: nobody's machine has them.
  @Test func outOfMemory() throws {
    let output = folder.path + "/run"
    let result = try Command.run(
      "train", "Recipes/scale/dit-20b.yaml", "--set", "start=null", "--set", "model.width=8192",
      "--set", "model.heads=64", "--set", "output=\(output)")
    #expect(result.status != 0)
    for hint in ["out of memory", "at least", "mesh.fsdp", "twinflow plan"] {
      #expect(result.errors.contains(hint), "\(result.errors)")
    }
    // Here the weights would fit, and what the step computes would not.
    let planned = try Command.run(
      "train", recipe("batch: 8", with: "batch: 4000000"), "--set", "output=\(output)")
    #expect(planned.status != 0)
    for hint in ["out of memory", "by the compiler's plan", "mesh.fsdp", "twinflow plan"] {
      #expect(planned.errors.contains(hint), "\(planned.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: output))
  }
}

/// `twinflow check-golden` on cases that cannot be compared.
@Suite struct DamagedGoldenTests {
  @Test func aFailingCaseDoesNotStopTheOthers() throws {
    let folder = try TemporaryFolder()
    let fixtures = Command.root + "/Tests/Fixtures/golden/"
    for (name, copy) in [
      ("method_full__o2_barron_batch4", "a"), ("method_full__o2_barron_batch4", "b"),
      ("method_tutorial__utf1_o1_enr0.0_ema0", "c"), ("method_lora__p10000_o0", "d"),
    ] {
      try FileManager.default.copyItem(atPath: fixtures + name, toPath: "\(folder.path)/\(copy)")
    }
    _ = try folder.file("a/config.json", "{\"kind\": \"full\"")
    _ = try folder.file("b/inputs.safetensors", "no arrays")
    _ = try folder.file("d/config.json", "{\"kind\": \"other\"}")
    let result = try Command.run("check-golden", folder.path)
    #expect(result.status == 1)
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 4, "\(result.output)")
    #expect(lines[0].hasPrefix("a  FAILED") && lines[0].contains("config.json"))
    #expect(lines[1].hasPrefix("b  FAILED") && lines[1].contains("inputs.safetensors"))
    #expect(lines[2].hasPrefix("c  equal"))
    #expect(lines[3] == "Not checked, of other kinds: d")
    #expect(result.errors.contains("Of 3 cases 0 differ") && result.errors.contains("2 could"))
  }
}
