import Foundation
import Pictures
import Testing

/// `twinflow generate` on small models.
@Suite struct GenerateTests {
  private let folder: TemporaryFolder
  private static let fixtures = "Tests/Fixtures/golden"
  private let plain = "\(fixtures)/pipe_qwenimage_a/model"
  private let twin = "\(fixtures)/sampler_model_qwenimage_a/model"
  private let edit = "\(fixtures)/pipe_qwenimage_edit_a/model"

  init() throws { folder = try TemporaryFolder() }

  private func generate(_ arguments: String...) throws -> Command.Result {
    try Command.start(["generate"] + arguments).finish()
  }

  private func data(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

  @Test func aPictureIsRepeatedFromItsMetadata() throws {
    let (first, again, other) = (
      folder.path + "/a.png", folder.path + "/b.png", folder.path + "/c.png"
    )
    let made = try generate(
      "a red fox, 一只橘猫", "--model", plain, "--steps", "2", "--guidance", "3", "--negative",
      "dark", "--size", "64x32", "--seed", "42", "--output", first)
    #expect(made.status == 0, "\(made.errors)")
    #expect(made.errors.contains("denoise"))
    let (picture, texts) = try Picture.read(first)
    #expect(picture.width == 64 && picture.height == 32)
    #expect(texts["parameters"]?.contains("Negative prompt: dark\nSteps: 2") == true)
    #expect(try generate("--like", first, "--output", again).status == 0)
    #expect(try data(first) == data(again))
    #expect(try generate("--like", first, "--seed", "43", "--output", other).status == 0)
    #expect(try Picture.read(other).picture != picture)
  }

  @Test func severalPicturesAreThoseOfTheirSeeds() throws {
    let (all, one) = (folder.path + "/all.png", folder.path + "/one.png")
    let made = try generate(
      "a fox", "--model", twin, "--steps", "1", "--size", "32x32", "--seed", "5", "--count", "2",
      "--output", all)
    #expect(made.status == 0, "\(made.errors)")
    let alone = try generate(
      "a fox", "--model", twin, "--steps", "1", "--size", "32x32", "--seed", "6", "--output", one)
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(try data(folder.path + "/all-6.png") == data(one))
    #expect(try data(folder.path + "/all-5.png") != data(one))
  }

  @Test func anImageIsEdited() throws {
    let (source, result) = (folder.path + "/day.png", folder.path + "/night.png")
    let values = (0..<40 * 30 * 3).map { UInt8(truncatingIfNeeded: $0 * 7) }
    try Picture(width: 40, height: 30, channels: 3, values: values).write(to: source)
    let dry = try generate(
      "make it night", "--model", edit, "--image", source, "--steps", "1", "--size", "32x32",
      "--dry-run", "--output", result)
    #expect(dry.status == 0, "\(dry.errors)")
    #expect(dry.errors.contains("encode the images"))
    #expect(!FileManager.default.fileExists(atPath: result))
  }

  @Test func badInputIsOneMessage() throws {
    let output = folder.path + "/p.png"
    let cases: [(arguments: [String], hint: String)] = [
      (["a fox"], "--model"), ([], "Say what the picture is to show"),
      (["a fox", "--model", "/nowhere/Qwen-Image"], "TWINFLOW_MODELS"),
      (["a fox", "--model", "Sources"], "model_index.json"),
      (["", "--model", plain], "prompt is empty"),
      (["a fox", "--model", plain, "--size", "64x60"], "64x64"),
      (["a fox", "--model", plain, "--size", "64"], "768x1024"),
      (["a fox", "--model", plain, "--output", "picture.jpg"], ".png"),
      (["a fox", "--model", twin, "--guidance", "4"], "Leave out --guidance"),
      (["a fox", "--model", twin, "--shift", "3"], "Leave out --shift"),
      (["a fox", "--model", plain, "--style", "few"], "Leave out --style"),
      (["a fox", "--model", edit], "Give each with --image"),
      (["a fox", "--model", plain, "--image", "README.md"], "README.md"),
      (["a fox", "--model", plain, "--transformer", "README.md"], "README.md"),
      (["--like", "README.md"], "README.md"),
      (["--like", "docs/figures/summary.png"], "does not say how it was made"),
    ]
    for (arguments, hint) in cases {
      let named = arguments.contains("--output") ? arguments : arguments + ["--output", output]
      let result = try Command.start(["generate"] + named).finish()
      #expect(result.status != 0, "\(arguments)")
      #expect(result.errors.contains(hint), "\(arguments): \(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: output))
    }
  }

  @Test func halfADownloadIsNamed() throws {
    let model = folder.path + "/model"
    try FileManager.default.copyItem(atPath: Command.root + "/" + plain, toPath: model)
    let shard = "\(model)/transformer/diffusion_pytorch_model.safetensors"
    try data(shard).prefix(50_000).write(to: URL(filePath: shard))
    let result = try generate("a fox", "--model", model, "--size", "32x32")
    #expect(result.status != 0 && result.errors.contains(shard))
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test func earlierPicturesAreNotReplaced() throws {
    let model = Command.root + "/" + plain
    func run(_ arguments: String...) throws -> Command.Result {
      try Command.start(["generate"] + arguments, in: folder.path).finish()
    }
    let first = folder.path + "/picture.png"
    let made = try run("a fox", "--model", model, "--steps", "1", "--size", "32x32")
    #expect(made.status == 0, "\(made.errors)")
    let before = try data(first)
    #expect(try run("--like", "picture.png").status == 0)
    #expect(try data(folder.path + "/picture-2.png") == before)
    let other = try run("--like", "picture.png", "--seed", "9", "--output", "picture.png")
    #expect(other.status != 0 && other.errors.contains("picture.png"))
    #expect(try data(first) == before)
  }

  @Test func theOutputIsNoInput() throws {
    let source = "\(plain)/transformer/diffusion_pytorch_model.safetensors"
    let before = try data(Command.root + "/" + source)
    let result = try generate("a fox", "--model", plain, "--size", "32x32", "--output", source)
    #expect(result.status != 0)
    #expect(try data(Command.root + "/" + source) == before)
  }
}
